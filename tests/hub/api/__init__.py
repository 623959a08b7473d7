"""The HTTP API over real HTTP."""
