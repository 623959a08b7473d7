"""Providers of the channel `sms`, one file each."""
