"""History taken over from before."""
