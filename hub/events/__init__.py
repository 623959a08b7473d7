"""What shops tell, applied: events in their order, once, with the messages that follow."""
