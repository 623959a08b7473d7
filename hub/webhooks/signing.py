"""Signatures of callbacks as Standard Webhooks 1.0.0 has them (symmetric, `v1`)."""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
_KEY_BYTES = 32


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


def _item(key: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    raw = b64decode(key.removeprefix(PREFIX))
    return "v1," + b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode()
