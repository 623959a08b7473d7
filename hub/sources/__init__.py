"""Shops on platforms: what a source is, what it may tell, how it is read and written to."""
