"""What is particular to each channel and provider."""
