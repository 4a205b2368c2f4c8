"""Greenlane takes a pull request from open to production through five agents."""

__version__ = "0.1.0"
