"""Carries the ids of committed events to agents. Content never travels: what an agent reads, it reads in the ledger."""
