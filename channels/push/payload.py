"""What every push provider sends of a message besides its text: data, urgency, how long it is worth showing."""

import hashlib
from base64 import urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime

from channels.base import Category, Message

# Both FCM and the push services of the browsers keep a message for four weeks at most.
LONGEST_TTL = 4 * 7 * 24 * 3600

_ELLIPSIS = "…"
_MAX_APNS_COLLAPSE_BYTES = 64


def data_for_app(message: Message) -> dict[str, str]:
    """The message's own data, with `delivery` (its id, so that the app can drop a double) and, where a
    button leads to a page and the data name none, `url`."""
    data = dict(message.data)
    link = next((button.url for row in message.buttons for button in row if button.url), "")
    if link:
        data.setdefault("url", link)
    return data | {"delivery": message.key}


def is_urgent(message: Message) -> bool:
    """Worth waking a sleeping phone for."""
    return message.category in (Category.TRANSACTIONAL, Category.SECURITY)


def ttl(message: Message, *, default: int) -> int:
    """Whole seconds that the provider may keep the message for a device that is off; never negative."""
    if message.expires_at is None:
        return default
    left = (message.expires_at - datetime.now(UTC)).total_seconds()
    return max(0, min(int(left), LONGEST_TTL))


def topic(collapse_key: str) -> str:
    """The key in the form of a `Topic` header: 32 characters of base64url (RFC 8030, 5.4)."""
    digest = hashlib.sha256(collapse_key.encode()).digest()
    return urlsafe_b64encode(digest).decode()[:32]


def apns_collapse_id(collapse_key: str) -> str:
    """The key itself where it fits into the header `apns-collapse-id` (64 bytes), else its digest."""
    if len(collapse_key) <= _MAX_APNS_COLLAPSE_BYTES and _is_plain(collapse_key):
        return collapse_key
    return hashlib.sha256(collapse_key.encode()).hexdigest()


def fitted(text: str, limit: int, encode: Callable[[str], bytes]) -> bytes | None:
    """`encode(text)` in at most `limit` bytes; None where even an empty text does not fit.

    A text that is too long is cut: half a message on the screen is better than none.
    """
    whole = encode(text)
    if len(whole) <= limit:
        return whole
    if len(encode(_ELLIPSIS)) > limit:
        return None

    def size(length: int) -> int:
        return len(encode(text[:length] + _ELLIPSIS))

    # The size grows with the length, so the longest text that fits is found by halving.
    length = bisect_right(range(len(text)), limit, key=size) - 1
    return encode(text[:length].rstrip() + _ELLIPSIS)


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
