"""What a failure means in the words of whoever runs a shop: by our own reason, and by the class that the provider's code
is of. Codes that only one provider has are shown beside it as they are."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

REASONS = frozenset(
    [
        "no_account",
        "account_paused",
        "account_refused",
        "recipient_refused",
        "message_refused",
        "cannot_render",
        "bounced",
        "undelivered",
        "no_address",
        "unverified",
        "suppressed",
        "no_consent",
        "unsubscribed",
        "maybe_sent",
        "worker_died",
        "lost_by_provider",
        "expired",
        "gave_up",
        "retrying",
    ]
)

# What adapters call what happened on the way (`channels/`), whatever became of the message then.
CODES: Sequence[tuple[re.Pattern[str], str]] = (
    (
        re.compile(r"throttled|too-?many|toomany|rate-limit|flood|limited|\b429\b", re.I),
        "throttled",
    ),
    (re.compile(r"no-connection|connection-lost|^closed|no-session", re.I), "no_connection"),
    (re.compile(r"certificate|tls", re.I), "certificate"),
    (re.compile(r"no-answer|timeout", re.I), "timeout"),
    (re.compile(r"too-long|toolarge|too-large", re.I), "too_long"),
    (re.compile(r"bad-buttons", re.I), "bad_buttons"),
    (re.compile(r"http-5\d\d|unavailable|internalserver|unreadable|shutdown", re.I), "unavailable"),
)

_BY_CODE = frozenset(
    {"retrying", "gave_up", "maybe_sent", "account_refused", "message_refused", "lost_by_provider"}
)
"""Reasons that say less than the code does."""


def key(reason: str, code: str) -> str:
    """Of the words' table `errors`."""
    if reason in _BY_CODE:
        for pattern, meaning in CODES:
            if code and pattern.search(code):
                return meaning
    return reason if reason in REASONS else "other"


def told(said: Mapping[str, Any], reason: str, code: str) -> str:
    """What it means, and what there is to do about it."""
    text: str = said["errors"][key(reason or "", code or "")]
    return text
