"""The whole product as its users start it."""
