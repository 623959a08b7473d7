"""The migrations, plain SQL, applied in the order of their numbers; forward only."""
