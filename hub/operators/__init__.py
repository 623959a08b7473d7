"""Who runs the shops: roles and rights, signing in, sessions, invitations."""
