"""Who hears what, when, and on which condition."""
