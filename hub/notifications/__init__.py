"""Notifications: intake, plan, delivery, receipts, the tick."""
