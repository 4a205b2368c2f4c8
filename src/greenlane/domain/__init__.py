"""The words of the business: events, the change they fold into, verdicts, errors. Frozen, typed, no I/O."""
