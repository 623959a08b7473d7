"""Telegram's updates: from which chat they are, and whether a webhook call is Telegram's."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from channels.base import BadHook, HookReply, HookRequest
from channels.proof import same
from channels.updates import Incoming, storable

KINDS = ("message", "callback_query", "my_chat_member")
"""What a bot asks for. The setting stays with Telegram until another list is named."""

_SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 (a header's name)


def incoming(raw: Mapping[str, Any]) -> Incoming:
    """Raises `ValueError` for what is no update."""
    match raw:
        case {"update_id": int(update_id)}:
            return Incoming(str(update_id), _chat(raw), storable(dict(raw)))
    raise ValueError("not an update of Telegram: it has no update_id")


def _chat(raw: Mapping[str, Any]) -> str:
    match raw:
        case (
            {"message": {"chat": {"id": int(chat)}}}
            | {"my_chat_member": {"chat": {"id": int(chat)}}}
            | {"callback_query": {"message": {"chat": {"id": int(chat)}}}}
            | {"callback_query": {"from": {"id": int(chat)}}}
        ):
            return str(chat)
    return ""


def read_hook(request: HookRequest, secrets: Sequence[str]) -> tuple[list[Incoming], HookReply]:
    """`secrets`: what may have been given to setWebhook. Any 2xx is enough for Telegram. Raises `BadHook`."""
    given = request.headers.get(_SECRET_HEADER, "")
    if not any(same(given, secret) for secret in secrets):
        raise BadHook("the secret token does not match", forged=True)
    try:
        raw = json.loads(request.body)
        return [incoming(raw)], HookReply()
    except (ValueError, RecursionError, TypeError):
        raise BadHook("not an update of Telegram") from None
