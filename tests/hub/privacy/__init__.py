"""Personal data: what is held, told, kept and forgotten."""
