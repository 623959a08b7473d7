"""One suite that every adapter passes."""
