"""Worker, leases, outbox relay, recovery: the only room that knows both ledger and bus."""
