"""Providers out of reach, over their real wire protocol on loopback, refusing what the real ones refuse."""
