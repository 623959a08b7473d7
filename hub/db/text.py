"""What providers say, made fit for a text column."""

import re

# PostgreSQL has no NUL in texts, and half a surrogate pair is no UTF-8; JSON can bring both.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_if_any(text: str | None, longest: int = 500) -> str | None:
    """As `storable`; nothing stays nothing."""
    return None if text is None else storable(text, longest)


def storable(text: str, longest: int = 500) -> str:
    """Whatever a provider says must never make a whole batch of outcomes unwritable."""
    text = text[:longest]
    if text.isascii() and "\0" not in text:
        # As most are.
        return text
    return _UNSTORABLE.sub("\ufffd", text)
