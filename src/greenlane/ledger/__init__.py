"""The append-only log of every decision: entries, Merkle tree, store, proofs, verifier, export."""
