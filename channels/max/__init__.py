"""Providers of the channel `max`, one file each."""
