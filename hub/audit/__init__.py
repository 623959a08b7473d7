"""Who did what, from where: an account that is only added to."""
