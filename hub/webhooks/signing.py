"""Signatures of callbacks as Standard Webhooks 1.0.0 has them (symmetric, `v1`)."""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

PREFIX = "whsec_"
_KEY_BYTES = 32

_CLOCKS = timedelta(minutes=5)


def new_secret() -> str:
    """As it is shown to people: `whsec_` and the key in base64."""
    return PREFIX + b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def headers(keys: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """For one call. `keys`: secrets as `new_secret` makes them, one item of the signature each; `at`: the time
    of this call, not of the event."""
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_item(key, message_id, timestamp, body) for key in keys),
    }


def verify(keys: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Whether somebody who holds one of `keys` signed this within five minutes of `now`. `headers` have lower-case
    names. What a key of another shape comes to is false, too."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(int(timestamp[:15]) - now.timestamp()) > _CLOCKS.total_seconds():
        return False
    given = [item.encode(errors="replace") for item in headers.get("webhook-signature", "").split()]
    try:
        # With an empty one anybody can sign.
        due = [_item(key, message_id, timestamp, body).encode() for key in keys if key]
    except (Error, ValueError):
        return False
    # All are compared, whatever the first ones came to.
    same = [hmac.compare_digest(one, other) for one in due for other in given]
    return True in same


def _item(key: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(errors="replace"), timestamp.encode(), body))
    raw = b64decode(key.removeprefix(PREFIX))
    return "v1," + b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode()
