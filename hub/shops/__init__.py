"""Shops, their API keys and scopes."""
