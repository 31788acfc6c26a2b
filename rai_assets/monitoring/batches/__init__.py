"""Batches of production: from a file in an inbox to rows that are published, or put into quarantine."""
