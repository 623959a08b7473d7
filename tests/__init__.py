"""Tests of Vestnik."""
