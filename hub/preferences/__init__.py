"""What people want and do not want to get: consents, suppressions, unsubscribing."""
