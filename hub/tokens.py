"""Signed tokens for links: bound to one purpose, with an end, useless to whoever changes a letter."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from hub.config import HubSettings

_MAC_BYTES = 16
_NEVER = bytes(5)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class BadToken(ValueError):
    """Not ours, not for this purpose, or changed on the way."""


class ExpiredToken(BadToken):
    """Ours, but its time is over."""


class Signer:
    """Signs with a key of its own per purpose, all derived from `hub.secret`.

    What was signed with one of `hub.previous_secrets` is read as well.
    """

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        self._secrets = [one.encode() for one in (secret, *previous)]
        self._keys: dict[str, list[bytes]] = {}
        self._begun: dict[str, HMAC] = {}

    @classmethod
    def of(cls, settings: HubSettings) -> "Signer":
        previous = [one.get_secret_value() for one in settings.previous_secrets]
        return cls(settings.secret.get_secret_value(), previous)

    def key(self, purpose: str) -> bytes:
        """32 bytes that belong to `purpose` alone: to sign and seal with."""
        return self.keys(purpose)[0]

    def keys(self, purpose: str) -> list[bytes]:
        """Those by which something may have been signed or sealed; the present one is the first."""
        if purpose not in self._keys:
            named = b"vestnik:" + purpose.encode()
            self._keys[purpose] = [hmac.digest(s, named, hashlib.sha256) for s in self._secrets]
        return self._keys[purpose]

    def sign(self, purpose: str, payload: bytes, expires_at: datetime | None = None) -> str:
        """A URL-safe token that carries `payload` readably; None as its end: it never expires."""
        end = int(expires_at.timestamp()).to_bytes(5, "big") if expires_at else _NEVER
        body = end + payload
        return _encode(body + self._signature(purpose, body))

    def _signature(self, purpose: str, body: bytes) -> bytes:
        begun = self._begun.get(purpose)
        if begun is None:
            begun = self._begun[purpose] = HMAC(self.key(purpose), SHA256())
        # Begun with the key once, and by what is quicker at that: a campaign signs two links a letter.
        mac = begun.copy()
        mac.update(body)
        return mac.finalize()[:_MAC_BYTES]

    def read(self, purpose: str, token: str) -> bytes:
        """The payload. Raises `BadToken`, `ExpiredToken`."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (ValueError, UnicodeEncodeError):
            raise BadToken("not a token") from None
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        # Other spellings of the same bytes are refused: one token, one text.
        if len(body) < 5 or _encode(raw) != token:
            raise BadToken("not a token")
        if not any(hmac.compare_digest(mac, ours) for ours in self._macs(purpose, body)):
            raise BadToken("not a token of this hub")
        end = int.from_bytes(body[:5], "big")
        if end and end < time.time():
            raise ExpiredToken("the link has expired")
        return body[5:]

    def name(self, purpose: str, value: str) -> str:
        """A stable unguessable name for `value` (hook URLs): 128 bits, URL-safe."""
        return self.names(purpose, value)[0]

    def names(self, purpose: str, value: str) -> list[str]:
        """The present name, then those that earlier secrets gave it."""
        return [_encode(mac) for mac in self._macs(purpose, value.encode())]

    def _macs(self, purpose: str, body: bytes) -> list[bytes]:
        return [_mac(key, body) for key in self.keys(purpose)]


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()
