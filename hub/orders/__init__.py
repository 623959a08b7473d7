"""Orders, the question whether they are on the shelf, and their assembly."""
