"""What the shop's backend is told: subscriptions, and the signed callbacks that follow from them."""
