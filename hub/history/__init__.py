"""History taken over from a shop: quietly, in bulk, and to be gone on with after any crash."""
