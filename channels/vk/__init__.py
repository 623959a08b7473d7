"""Providers of the channel `vk`, one file each."""
