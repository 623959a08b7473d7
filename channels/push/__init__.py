"""Providers of the channel `push`, one file each."""
