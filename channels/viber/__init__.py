"""Providers of the channel `viber`, one file each."""
