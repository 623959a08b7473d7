"""MAX's updates: from which chat they are, and whether a webhook call is MAX's."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from channels.base import BadHook, HookReply, HookRequest
from channels.proof import same
from channels.updates import Incoming, storable

KINDS = (
    *("bot_started", "bot_stopped", "bot_added", "bot_removed"),
    *("message_created", "message_callback"),
)
"""What a bot asks for, in subscriptions and when it polls."""

_SECRET_HEADER = "x-max-bot-api-secret"  # noqa: S105 (a header's name)

JsonObject = Mapping[str, Any]


def incoming(raw: Any) -> Incoming:
    """An update has no id of its own: what tells it from all others is what happened, when, to what and by whom.

    Raises `ValueError` for what is no update.
    """
    match raw:
        case {"update_type": str(kind), "timestamp": int(at)}:
            about = (kind, at, _thing(raw), _person(raw), raw.get("chat_id"))
            event = sha256(json.dumps(about).encode()).hexdigest()
            return Incoming(event, chat_of(raw), storable(dict(raw)))
    raise ValueError("not an update of MAX: it has no update_type or timestamp")


def chat_of(raw: JsonObject) -> str:
    """The address: a person's id for what is between him and the bot, a chat's for a group. Empty: none of these.

    The ids of groups are negative, so the two are never mistaken for each other.
    """
    match raw:
        case {"update_type": "bot_added" | "bot_removed", "chat_id": int(chat)}:
            return _group(chat)
        case {"message": {"recipient": {"chat_type": "chat", "chat_id": int(chat)}}}:
            return _group(chat)
        case {"message": {"recipient": {"chat_type": "channel"}}}:
            return ""
        case {"update_type": "message_created", "message": {"sender": {"is_bot": True}}}:
            return ""
    return _person(raw)


def _group(chat: int) -> str:
    return str(chat) if chat < 0 else ""


def _person(raw: JsonObject) -> str:
    match raw:
        case (
            {"callback": {"user": {"user_id": int(user)}}}
            | {"user": {"user_id": int(user)}}
            | {"message": {"sender": {"user_id": int(user)}}}
        ):
            return str(user)
    return ""


def _thing(raw: JsonObject) -> str:
    match raw:
        case {"callback": {"callback_id": str(thing)}} | {"message": {"body": {"mid": str(thing)}}}:
            return thing
    return ""


def read_hook(request: HookRequest, secrets: Sequence[str]) -> tuple[list[Incoming], HookReply]:
    """`secrets`: what may have been given with the subscription. MAX wants to hear 200. Raises `BadHook`."""
    given = request.headers.get(_SECRET_HEADER, "")
    if not any(same(given, secret) for secret in secrets):
        raise BadHook("the secret does not match", forged=True)
    try:
        return [incoming(json.loads(request.body))], HookReply()
    except (ValueError, RecursionError, TypeError):
        raise BadHook("not an update of MAX") from None
