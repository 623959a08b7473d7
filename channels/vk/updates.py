"""VK's events: whom they are about, and whether a call of the Callback API is VK's."""

import json
from collections.abc import Mapping
from typing import Any

from channels.base import BadHook, HookReply, HookRequest
from channels.proof import same
from channels.updates import Incoming, storable
from channels.vk.community import CommunityConfig

KINDS = ("message_new", "message_event", "message_allow", "message_deny", "message_read")

_DONE = HookReply("ok")
"""Exactly this; anything else is told again, later and later."""


def incoming(raw: Mapping[str, Any]) -> Incoming:
    """Raises `ValueError` for what is no event."""
    match raw:
        case {"event_id": str(event_id), "type": str(), "object": Mapping() as content}:
            return Incoming(event_id, _peer(content), storable(dict(raw)))
    raise ValueError("not an event of VK: it has no event_id, type or object")


def _peer(content: Mapping[str, Any]) -> str:
    match content:
        case (
            {"message": {"peer_id": int(peer)}}
            | {"peer_id": int(peer)}
            | {"user_id": int(peer)}
            | {"from_id": int(peer)}
        ):
            return str(peer)
    return ""


def read_hook(request: HookRequest, config: CommunityConfig) -> tuple[list[Incoming], HookReply]:
    """The secret in the body is the only proof there is (dev.vk.com, Callback API). Raises `BadHook`."""
    try:
        raw = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadHook("not JSON") from None
    if not isinstance(raw, dict) or raw.get("group_id") != config.group_id:
        raise BadHook("of another community")
    if raw.get("type") == "confirmation":
        # May come without the secret; the answer is known to the community's managers only by itself.
        return [], HookReply(config.confirmation)
    secret = config.secret.get_secret_value() if config.secret else ""
    if not secret or not same(str(raw.get("secret", "")), secret):
        raise BadHook("the secret does not match", forged=True)
    try:
        return [incoming({key: value for key, value in raw.items() if key != "secret"})], _DONE
    except ValueError as error:
        raise BadHook(str(error)) from None
