"""What is said to whom, once for all messengers."""
