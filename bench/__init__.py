"""Measures the running product: its own roles, a sink in a process of its own, loopback only."""
