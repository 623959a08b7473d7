"""What the services of SendPulse have in common; the adapters are with their channels."""
