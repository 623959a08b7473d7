"""Who we are to a browser's push service: the VAPID key and the tokens signed with it (RFC 8292)."""

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels.push.p256 import is_file, read_key

# Services refuse more than 24 h; half of it leaves room for clocks that differ.
_LIFETIME = timedelta(hours=12)
_RENEW_AFTER = timedelta(hours=6)
# Origins come from outside with the subscriptions: a flood of invented ones must not fill the memory.
_MAX_ORIGINS = 1000
_RAW_KEY = re.compile(r"[A-Za-z0-9_-]{43}=?")


def load_key(value: str) -> EllipticCurvePrivateKey:
    """`value`: base64url of the raw 32-byte key, or the path of a PEM file.

    Raises `ValueError` that never repeats a value which may be the key itself.
    """
    if _RAW_KEY.fullmatch(value):
        return _raw_key(value)
    path = Path(value)
    if path.suffix != ".pem" and not is_file(path):
        raise ValueError("must be base64url of the raw 32-byte key, or the path of a PEM file")
    return read_key(path)


class Vapid:
    """One key and one subject; tokens are signed once per push service and used for hours."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str) -> None:
        self._key = key
        self._subject = subject
        self._signed: dict[str, tuple[str, float]] = {}
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = urlsafe_b64encode(point).decode().rstrip("=")
        """Base64url: what a front end gives to `pushManager.subscribe` as `applicationServerKey`."""

    def authorization(self, origin: str) -> str:
        """The `Authorization` header for the push service at `origin` (`https://host`)."""
        now = time.time()
        token, renew_at = self._signed.get(origin, ("", 0.0))
        if now >= renew_at:
            token = self._sign(origin, now)
            if len(self._signed) >= _MAX_ORIGINS:
                self._signed.clear()
            self._signed[origin] = token, now + _RENEW_AFTER.total_seconds()
        return f"vapid t={token}, k={self.public_key}"

    def _sign(self, origin: str, now: float) -> str:
        claims = {
            "aud": origin,
            "exp": int(now + _LIFETIME.total_seconds()),
            "sub": self._subject,
        }
        return jwt.encode(claims, self._key, algorithm="ES256")


def _raw_key(value: str) -> EllipticCurvePrivateKey:
    try:
        number = int.from_bytes(urlsafe_b64decode(value.rstrip("=") + "="))
        return derive_private_key(number, SECP256R1())
    except (NotBase64, ValueError):
        raise ValueError("is not a private key on the curve P-256") from None
