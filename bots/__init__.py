"""What people tell us through messengers, and what they are told in return."""
