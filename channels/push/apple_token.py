"""Who we are to Apple: tokens signed with a team's key, each used for half an hour by everybody who has the key.

Facts from Apple's page on token-based connections to APNs and from answers of Apple's engineers in its forum:
a token older than an hour is refused, and so are teams that change theirs more often than every 20 minutes.
"""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from channels.push.p256 import is_file, parse_key, read_key

# Of the clock, the same for all processes.
_STEP = timedelta(minutes=30).total_seconds()
LEAST_USE = timedelta(minutes=20)


def load_key(value: str) -> EllipticCurvePrivateKey:
    """`value`: the path of the `.p8` file, or what is in it.

    Raises `ValueError` that never repeats a value which may be the key itself.
    """
    if "-----BEGIN" in value:
        # Files of environment variables often hold line ends as `\\n`.
        return parse_key(value.replace("\\n", "\n").strip().encode(), "the text")
    path = Path(value)
    if path.suffix != ".p8" and not is_file(path):
        raise ValueError("must be the path of the .p8 file, or its text with BEGIN and END")
    return read_key(path)


class ProviderToken:
    """Signed so that the same half hour gives the same token: processes and restarts need not agree on one, and
    for Apple the team has changed nothing."""

    def __init__(
        self,
        key: EllipticCurvePrivateKey,
        *,
        key_id: str,
        team_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._header: dict[str, str | int] = {"alg": "ES256", "kid": key_id}
        self._team_id = team_id
        self._clock = clock
        self._value = ""
        self._issued_at = float("-inf")
        self._made_at = float("-inf")

    def current(self) -> str:
        """A token that holds: at most 50 minutes old, and never the next one within 20 minutes."""
        now = self._clock()
        step = now - now % _STEP
        went_back = now < self._made_at
        if went_back or (step > self._issued_at and self._has_been_used(now)):
            self._make(step, now)
        return self._value

    def after(self, refused: str) -> str | None:
        """Apple finds `refused` too old: a newer one. None where it is too early for that."""
        if self._value != refused:
            return self._value
        now = self._clock()
        if not self._has_been_used(now):
            return None
        self._make(now, now)
        return self._value

    def _has_been_used(self, now: float) -> bool:
        return now - self._made_at >= LEAST_USE.total_seconds()

    def _make(self, issued_at: float, now: float) -> None:
        self._issued_at, self._made_at = issued_at, now
        claims: dict[str, str | int] = {"iss": self._team_id, "iat": int(issued_at)}
        signed = f"{_part(self._header)}.{_part(claims)}"
        self._value = f"{signed}.{_base64(self._sign(signed.encode()))}"

    def _sign(self, text: bytes) -> bytes:
        """ES256 (RFC 7518, 3.4), without the random number (RFC 6979) that would make each token another one."""
        try:
            der = self._key.sign(text, ECDSA(SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            # An OpenSSL before 3.2: as good a token, only not the same one everywhere.
            der = self._key.sign(text, ECDSA(SHA256()))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _part(value: Mapping[str, str | int]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
