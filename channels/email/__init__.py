"""Providers of the channel `email`, one file each."""
