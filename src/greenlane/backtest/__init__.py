"""What Greenlane would have done with changes that were merged already: judged as a live change is, without acting."""
