"""Rendered messages out, receipts in: one file per provider, no database and nothing of the hub."""
