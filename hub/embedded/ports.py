"""Which port to listen on, and why one cannot be had."""

import errno
import random
import socket

from hub.embedded.folder import StartFailed

_REASONS = {
    errno.EADDRINUSE: "another program listens there already",
    errno.EACCES: "this user may not listen there (ports below 1024 are root's)",
    errno.EADDRNOTAVAIL: "not an address of this machine",
}


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on. Raises `StartFailed`.

    Below the range from which systems take ports for outgoing connections, so that it is still ours
    to take when a server comes back after a crash.
    """
    for port in random.sample(range(20_000, 32_000), 50):
        try:
            _try(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _failed(host, port, error) from None
        else:
            return port
    raise StartFailed(f"{host}: no free port found between 20000 and 32000")


def check_free(host: str, port: int) -> None:
    """Raises `StartFailed` saying why one cannot listen there."""
    try:
        _try(host, port)
    except OSError as error:
        raise _failed(host, port, error) from None


def _failed(host: str, port: int, error: OSError) -> StartFailed:
    reason = _REASONS.get(error.errno or 0, error.strerror)
    return StartFailed(f"cannot listen on {host}:{port}: {reason}; choose with VESTNIK_LISTEN")


def _try(host: str, port: int) -> None:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, proto) as probe:
        # As servers do it: what closed a moment ago does not stand in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
