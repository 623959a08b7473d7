"""Promises of the whole code base."""
