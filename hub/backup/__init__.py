"""A copy of all that a hub keeps, in one file, and a hub made of it again."""
