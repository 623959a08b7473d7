"""From where a request comes."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from channels.guard import Network


def address_of(request: web.Request, trusted: Sequence[Network]) -> str:
    """Who asks: the peer, or behind proxies of `trusted` the last one that none of them vouches for. In its plain
    form; as it stands where it is no address (a socket of the system)."""
    found = request.remote or ""
    if trusted:
        named = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for name in reversed(named):
            there, said = plain(found), name.strip()
            if there is None or not any(there in one for one in trusted) or plain(said) is None:
                break
            found = said
    return str(plain(found) or found)


@lru_cache(maxsize=1024)
def plain(text: str) -> IPv4Address | IPv6Address | None:
    """An address of IPv4 that is written as one of IPv6 is one of IPv4. None: it is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
