"""The five agents. Each reads a change, asks policies, acts through ports and yields its decisions as events."""
