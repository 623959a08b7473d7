"""Providers of the channel `telegram`, one file each."""
