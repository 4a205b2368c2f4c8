"""The command line. Each module imports at its top only what `--help` needs; the rest is imported where it is used."""
