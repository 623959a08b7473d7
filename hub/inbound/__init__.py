"""What people write to the shop by SMS and in messengers without a bot: stored, understood, answered."""
