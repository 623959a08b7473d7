"""Texts of messages, letters and pages. A package, and not just a folder, so that an installation finds them."""
