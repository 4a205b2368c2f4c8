"""Small protocols to the outside world. Adapters implement them; agents and the runtime talk to nothing else."""
