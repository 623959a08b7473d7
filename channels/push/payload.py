"""What every push provider sends of a message besides its text: data, urgency, how long it is worth showing."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

from channels.base import Category, Message

# Both FCM and the push services of the browsers keep a message for four weeks at most.
LONGEST_TTL = 4 * 7 * 24 * 3600


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
