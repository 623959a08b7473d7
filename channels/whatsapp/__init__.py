"""Providers of the channel `whatsapp`, one file each."""
