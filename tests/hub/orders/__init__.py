"""Orders and the questions to the people at the shelf."""
