"""What the services of Unisender have in common; the adapters are with their channels."""
