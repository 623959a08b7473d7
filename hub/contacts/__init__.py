"""People: who they are, where they are reached, and how they are forgotten."""
