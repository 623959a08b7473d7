"""Keeps requests to addresses that came from outside (callbacks, push endpoints) off the inner network."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
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
        ip = inner or ip
        if any(ip in network for network in self._allow if network.version == ip.version):
            return True
        return ip.is_global and not ip.is_multicast

    def socket_factory(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """For `aiohttp.TCPConnector(socket_factory=…)`: called for each address before it is connected to."""
        family, kind, proto, _, address = addr_info
        if not self.permits(str(address[0])):
            raise Blocked(f"{address[0]} is outside the public internet (see outgoing_allow)")
        return socket.socket(family=family, type=kind, proto=proto)


def _embedded_v4(ip: IPv6Address) -> Any:
    """The IPv4 address that a v6 form really leads to (mapped, 6to4, NAT64), if any."""
    if ip.ipv4_mapped:
        return ip.ipv4_mapped
    if ip.sixtofour:
        return ip.sixtofour
    if ip in IPv6Network("64:ff9b::/96"):
        return ip_address(int(ip) & 0xFFFFFFFF)
    return None
