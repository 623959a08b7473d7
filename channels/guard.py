"""Keeps requests to addresses that came from outside (callbacks, push endpoints) off the inner network."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

Network = IPv4Network | IPv6Network


class Blocked(OSError):
    """The address is outside the public internet and no network of `outgoing_allow` holds it."""


class PublicOnly:
    """Decides by the address that is really connected to, so a name that changes its mind gains nothing."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)

    def permits(self, address: str) -> bool:
        """`address`: an IPv4 or IPv6 literal, with or without a scope."""
        ip = ip_address(address.partition("%")[0])
        inner = _embedded_v4(ip) if isinstance(ip, IPv6Address) else None
        # Both forms are looked for: a mapped address in 127.0.0.0/8, and ::1 in ::1/128.
        if any(form in network for form in (ip, inner) if form for network in self._allow):
            return True
        real = inner or ip
        if any(form in network for form in (ip, real) for network in _INNER):
            return False
        if isinstance(real, IPv6Address) and real not in _UNICAST:
            # `ipaddress` takes all that is given to nobody for global.
            return False
        return real.is_global and not real.is_multicast

    def socket_factory(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """For `aiohttp.TCPConnector(socket_factory=…)`: called for each address before it is connected to."""
        family, kind, proto, _, address = addr_info
        if not self.permits(str(address[0])):
            # The same words for each address of a name: only then the connector lets `Blocked` through
            # when it has tried them all, instead of one `OSError` that sums them up.
            raise Blocked(_REFUSAL)
        return socket.socket(family=family, type=kind, proto=proto)

    async def addresses_of(self, host: str) -> list[str]:
        """For whoever opens connections by himself: to be connected to as they are, and not looked up again. Raises
        `OSError`, `Blocked` among it."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError("no name of a host") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not all(map(self.permits, addresses)):
            raise Blocked(_REFUSAL)
        return addresses

    async def connected(self, host: str, port: int) -> socket.socket:
        """Raises as `addresses_of`."""
        failed = OSError("no address")
        for address in await self.addresses_of(host):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened = socket.socket(family, socket.SOCK_STREAM)
            opened.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(opened, (address, port))
            except OSError as error:
                opened.close()
                failed = error
            except BaseException:
                opened.close()
                raise
            else:
                return opened
        raise failed


_REFUSAL = "the address is outside the public internet (see outgoing_allow)"

# All of IPv6 that anybody on the internet has (RFC 4291, 2.4).
_UNICAST = IPv6Network("2000::/3")

# Each carries an IPv4 address in its last 32 bits: NAT64, SIIT, and the old "IPv4-compatible" form.
_CARRY_V4 = tuple(map(IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))

# What `ipaddress` (of Python 3.11, some of it of all) takes for global and is none of the public internet's.
_INNER = tuple(
    map(
        ip_network,
        (
            "64:ff9b:1::/48",  # NAT64 of one's own
            "fec0::/10",  # site-local
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "192.0.0.0/24",  # protocol assignments; Oracle's clouds tell their machines' secrets at .192
            "192.88.99.0/24",  # relays of 6to4
            "168.63.129.16/32",  # Azure tells its machines' settings here
        ),
    )
)

# The last 64 bits of ISATAP: these 32, then an IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)


def _embedded_v4(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a v6 form really leads to (mapped, 6to4, NAT64 and kin), if any."""
    if ip.ipv4_mapped:
        return ip.ipv4_mapped
    if ip.sixtofour:
        return ip.sixtofour
    if any(ip in network for network in _CARRY_V4):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None
