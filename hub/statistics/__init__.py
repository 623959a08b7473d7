"""What became of messages, counted by the hour while they happen, and read from those counts only."""
