"""A browser's push subscription: read with mistrust, since it comes from outside, and encrypted to."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

_AUTH_BYTES = 16
_USUAL_PORT = {"https": 443, "http": 80}

# Google, which has much else under its name; Mozilla, Apple.
_HOSTS = (
    "fcm.googleapis.com",
    "android.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
)
# Mozilla, Apple, Microsoft.
_SERVICES = (
    ".push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)


class _Keys(BaseModel):
    p256dh: str
    auth: str


class _Json(BaseModel):
    """What `JSON.stringify(subscription)` gives; browsers add fields of their own."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    # No spaces and no control characters, which URL parsers drop each in its own way.
    endpoint: Annotated[str, StringConstraints(max_length=2048, pattern=r"^[\x21-\x7e]+$")]
    keys: _Keys


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where one browser takes messages, and its public keys."""

    endpoint: SplitResult
    key: EllipticCurvePublicKey
    auth: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """`text`: `{"endpoint": …, "keys": {"p256dh": …, "auth": …}}`. Raises `ValueError`, without the text."""
        try:
            raw = _Json.model_validate_json(text)
        except ValidationError:
            raise ValueError(
                "not a subscription with endpoint, keys.p256dh and keys.auth"
            ) from None
        auth = _bytes(raw.keys.auth, "keys.auth")
        if len(auth) != _AUTH_BYTES:
            raise ValueError(f"keys.auth is not {_AUTH_BYTES} bytes long")
        try:
            key = EllipticCurvePublicKey.from_encoded_point(
                SECP256R1(), _bytes(raw.keys.p256dh, "keys.p256dh")
            )
        except ValueError:
            raise ValueError("keys.p256dh is not a point on the curve P-256") from None
        return cls(_endpoint(raw.endpoint), key, auth)

    @property
    def origin(self) -> str:
        """`https://host`, with the port where it is not the usual one (RFC 6454, 6.2)."""
        scheme, host = self.endpoint.scheme, self.endpoint.netloc
        if self.endpoint.port == _USUAL_PORT[scheme]:
            host = host.rpartition(":")[0]
        return f"{scheme}://{host}"

    @property
    def is_of_known_service(self) -> bool:
        """A browser vendor's service, or one inside the own network, which only the operator can let in. Any
        other host may be anybody's: what it answers must have no effect beyond this subscription."""
        if self.endpoint.scheme == "http":
            return True
        host = self.endpoint.hostname or ""
        return self.endpoint.port in (None, 443) and (host in _HOSTS or host.endswith(_SERVICES))

    @property
    def is_at_known_host(self) -> bool:
        """A browser vendor's service by its full name: one that is there."""
        return self.is_of_known_service and self.endpoint.hostname in _HOSTS

    def url(self, base_url: str | None) -> str:
        """The endpoint, or the same path behind `base_url`."""
        if base_url is None:
            return self.endpoint.geturl()
        query = f"?{self.endpoint.query}" if self.endpoint.query else ""
        return f"{base_url}{self.endpoint.path}{query}"

    def encrypt(self, plaintext: bytes) -> bytes:
        """The body of one push: `aes128gcm` with a key pair made for this message alone (RFC 8291)."""
        body: bytes = http_ece.encrypt(
            plaintext,
            private_key=generate_private_key(SECP256R1()),
            dh=self.key,
            auth_secret=self.auth,
            version="aes128gcm",
        )
        return body


def _endpoint(url: str) -> SplitResult:
    """Push services speak https. Plain http is left for test services inside the own network: only to a
    literal address, so that the address guard alone decides whether it may be reached."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the endpoint is not a URL") from None
    if not host or port == 0 or "@" in parts.netloc:
        raise ValueError("the endpoint is not a URL of a push service")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_inner(host)):
        raise ValueError("the endpoint is not https")
    return parts._replace(netloc=parts.netloc.lower(), fragment="")


def _is_inner(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def _bytes(value: str, name: str) -> bytes:
    """Base64url, with or without padding."""
    try:
        return urlsafe_b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except ValueError:
        raise ValueError(f"{name} is not base64url") from None
