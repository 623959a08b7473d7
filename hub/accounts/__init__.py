"""Provider accounts: which there are, their limits, their health."""
