"""Somebody who uses the command line."""

import getpass
import os
import socket

from hub.audit.model import Actor, ActorKind


def at_machine() -> Actor:
    """The user of the system and, where he came by SSH, from where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that nobody has.
        user = str(os.getuid())
    remote = os.environ.get("SSH_CLIENT", "").partition(" ")[0]
    return Actor(ActorKind.CLI, name=f"{user}@{socket.gethostname()}", remote=remote)
