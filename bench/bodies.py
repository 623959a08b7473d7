"""What shops and providers say to the hub in the benchmark."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from bench import plain
from bench.rig import LETTER, PEOPLE, TOKEN

Body = Callable[[int], dict[str, Any]]
"""The notification with that number."""

MERGED = {"until": plain.UNTIL}
WHOLE = {"until": f"{plain.UNTIL} {{включая праздники}} и далее"}
"""Braces are a sign of tags at Unisender Go, so a letter with them in it is put together here and goes whole."""


def to_telegram(number: int) -> dict[str, Any]:
    """To an address and nobody known by name."""
    recipient = {"address": {"channel": "telegram", "value": str(1 + number % 1000)}}
    return {"recipient": recipient, "content": {"text": f"Message {number}"}}


def letter(data: Mapping[str, str]) -> Body:
    """A campaign's letter to people who are known and have agreed."""

    def body(number: int) -> dict[str, Any]:
        recipient = {"external_id": f"buyer-{1 + number % PEOPLE}"}
        return {"recipient": recipient, "template": LETTER, "data": data}

    return body


def to(channel: str, *, same: bool = False) -> Body:
    """A campaign's short text by messenger."""

    def body(number: int) -> dict[str, Any]:
        text = "Скидки недели" if same else f"Скидки недели для вас, {number}"
        return {
            "recipient": {"external_id": f"buyer-{1 + number % PEOPLE}"},
            "content": {"text": text},
            "category": "marketing",
            "channels": [channel],
        }

    return body


def receipts(ids: Sequence[UUID]) -> bytes:
    """As Unisender Go calls back, signed."""
    events = [
        {
            "event_name": "transactional_email_status",
            "event_data": {
                "job_id": "1ZymBc-000001",
                "metadata": {"delivery": str(id_)},
                "email": "buyer@example.com",
                "status": "delivered",
                "event_time": "2026-01-02 03:04:05",
            },
        }
        for id_ in ids
    ]
    said: Mapping[str, Any] = {
        "auth": TOKEN,
        "events_by_user": [{"user_id": 1, "project_id": "1", "events": events}],
    }
    body = orjson.dumps(said)
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return body.replace(TOKEN.encode(), digest.encode(), 1)
