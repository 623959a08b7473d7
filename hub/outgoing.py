"""URLs that come in from outside and will be called: what can be seen of them before any connection."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

from channels.guard import Network, PublicOnly

# Names that lead to this machine or its network by definition (RFC 6761, 6762, 8375).
_INNER_NAMES = ("localhost", "local", "internal", "home.arpa")


def inner_host(url: str, allow: Sequence[Network]) -> str | None:
    """Why `url` must not be called, as far as its host alone tells; None where only the connection can.

    `allow`: the networks of `outgoing_allow`. A name is judged by what it resolves to when it is connected
    to, by the guard in `ProviderHttp`.
    """
    try:
        # As it will be connected to: digits in circles, other dots and escapes all become an address again. A dot
        # at the end says that the name is whole; resolvers take it after a literal, too.
        written = normalize("NFKC", unquote(urlsplit(url).hostname or ""))
        host = written.replace("\u3002", ".").rstrip(".")
    except ValueError:
        return "is not a URL"
    address = _literal(host)
    if address is None:
        name = host.lower()
        if any(name == inner or name.endswith(f".{inner}") for inner in _INNER_NAMES):
            # With loopback allowed, the name is left to the connection.
            return None if PublicOnly(allow).permits("127.0.0.1") else _REFUSAL
        return None
    return None if PublicOnly(allow).permits(address) else _REFUSAL


_REFUSAL = (
    "leads outside the public internet, and the setting outgoing_allow does not name that network"
)


def _literal(host: str) -> str | None:
    """The address that a host is written as, in any notation that a resolver takes (`127.1`, `0x7f000001`)."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None
