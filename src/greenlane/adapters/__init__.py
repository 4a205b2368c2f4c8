"""One module per outside system, each behind one port."""
