"""Valid updates of every messenger, as their documentation has them, to be changed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from channels.base import Channel, HookRequest

_ANNA = {
    "id": 7001,
    "is_bot": False,
    "first_name": "Анна",
    "username": "anna",
    "language_code": "ru",
}
_PRIVATE = {"id": 7001, "type": "private", "first_name": "Анна"}
_GROUP = {"id": -100500, "type": "supergroup", "title": "Склад"}
_BOT = {"id": 1, "is_bot": True, "first_name": "Лавка", "username": "shop_bot"}


def _message(chat: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {"message_id": 5, "from": _ANNA, "chat": chat, "date": 1767225600, "text": text}


def _member(status: str) -> dict[str, Any]:
    return {"user": _BOT, "status": status}


TELEGRAM: Sequence[dict[str, Any]] = (
    {"update_id": 1, "message": _message(_PRIVATE, "/start abc")},
    {"update_id": 2, "message": _message(_GROUP, "/bind@shop_bot K7QM-4TXP")},
    {
        "update_id": 3,
        "callback_query": {
            "id": "9",
            "from": _ANNA,
            "message": _message(_PRIVATE, "Есть?"),
            "chat_instance": "1",
            "data": "AAAA",
        },
    },
    {
        "update_id": 4,
        "my_chat_member": {
            "chat": _PRIVATE,
            "from": _ANNA,
            "date": 1767225600,
            "old_chat_member": _member("member"),
            "new_chat_member": {**_member("kicked"), "until_date": 0},
        },
    },
)


def _event(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "group_id": 1,
        "type": kind,
        "event_id": f"e-{kind}",
        "v": "5.199",
        "object": content,
        "secret": "secret",
    }


VK: Sequence[dict[str, Any]] = (
    _event("message_new", {"message": {"peer_id": 7, "from_id": 7, "text": "да", "ref": "abc"}}),
    _event(
        "message_new",
        {"message": {"peer_id": 2000000001, "from_id": 7, "text": "[club1|@shop] /bind K7QM-4TXP"}},
    ),
    _event(
        "message_event",
        {
            "peer_id": 7,
            "user_id": 7,
            "event_id": "x",
            "conversation_message_id": 3,
            "payload": {"d": "AAAA"},
        },
    ),
    _event("message_allow", {"user_id": 7, "key": "abc"}),
    _event("message_deny", {"user_id": 7}),
    _event("message_read", {"peer_id": 7, "from_id": 7, "conversation_message_id": 3}),
    {"type": "confirmation", "group_id": 1},
)

_USER = {"user_id": 7001, "first_name": "Анна", "last_name": "", "is_bot": False, "name": "Анна"}

MAX: Sequence[dict[str, Any]] = (
    {
        "update_type": "message_created",
        "timestamp": 1767225600000,
        "user_locale": "ru",
        "message": {
            "sender": _USER,
            "recipient": {"chat_id": 5, "chat_type": "dialog", "user_id": 1},
            "timestamp": 1767225600000,
            "body": {"mid": "mid.1", "seq": 1, "text": "привет", "attachments": []},
        },
    },
    {
        "update_type": "message_callback",
        "timestamp": 1767225600000,
        "callback": {
            "timestamp": 1767225600000,
            "callback_id": "c",
            "payload": "AAAA",
            "user": _USER,
        },
        "message": {
            "sender": _USER,
            "recipient": {"chat_id": -5, "chat_type": "chat"},
            "body": {"mid": "mid.1", "text": "Есть?"},
        },
    },
    {
        "update_type": "bot_started",
        "timestamp": 1767225600000,
        "chat_id": 5,
        "user": _USER,
        "payload": "abc",
    },
    {"update_type": "bot_added", "timestamp": 1767225600000, "chat_id": -5, "user": _USER},
)

_VIEWER = {"id": "01234567890A=", "name": "Анна", "language": "ru", "country": "RU"}

VIBER: Sequence[dict[str, Any]] = (
    {
        "event": "message",
        "timestamp": 1767225600000,
        "message_token": 4912661846655238145,
        "sender": _VIEWER,
        "message": {"type": "text", "text": "привет", "tracking_data": "start:abc"},
    },
    {"event": "subscribed", "timestamp": 1767225600000, "message_token": 1, "user": _VIEWER},
    {
        "event": "unsubscribed",
        "timestamp": 1767225600000,
        "message_token": 2,
        "user_id": "01234567890A=",
    },
    {
        "event": "conversation_started",
        "timestamp": 1767225600000,
        "message_token": 3,
        "type": "open",
        "context": "abc",
        "user": _VIEWER,
        "subscribed": True,
    },
)

UPDATES: Mapping[Channel, Sequence[dict[str, Any]]] = {
    Channel.TELEGRAM: TELEGRAM,
    Channel.VK: VK,
    Channel.MAX: MAX,
    Channel.VIBER: VIBER,
}


def _calls(updates: Sequence[dict[str, Any]]) -> list[HookRequest]:
    headers = {
        "x-telegram-bot-api-secret-token": "secret",
        "x-max-bot-api-secret": "secret",
        "content-type": "application/json",
    }
    return [HookRequest("POST", headers, {}, json.dumps(one).encode()) for one in updates]


BOT_CALLS: Mapping[Channel, Sequence[HookRequest]] = {
    channel: _calls(updates) for channel, updates in UPDATES.items()
}


def _posted(body: Any) -> HookRequest:
    return HookRequest("POST", {}, {}, json.dumps(body).encode())


def _mandrill(*events: Any) -> HookRequest:
    body = urlencode({"mandrill_events": json.dumps(events)}).encode()
    return HookRequest("POST", {}, {}, body)


def _unisender(*events: Any) -> HookRequest:
    return _posted({"auth": "0" * 32, "events_by_user": [{"login": "x", "events": list(events)}]})


def _whatsapp(**value: Any) -> HookRequest:
    entry = {"id": "1", "changes": [{"value": value, "field": "messages"}]}
    return _posted({"object": "whatsapp_business_account", "entry": [entry]})


_TIME = 1793527200
_DIAG = "550 5.1.1 <anna@example.com> unknown"

MORE_CALLS: Mapping[tuple[Channel, str], Sequence[HookRequest]] = {
    (Channel.EMAIL, "mailchimp_transactional"): [
        _mandrill(
            {
                "type": "blacklist",
                "action": "add",
                "ts": _TIME,
                "reject": {
                    "reason": "hard-bounce",
                    "detail": _DIAG,
                    "email": "anna@example.com",
                    "expired": False,
                },
            }
        ),
        _mandrill(
            {
                "event": "reject",
                "ts": _TIME,
                "_id": "e9a1",
                "reject": {"reason": "unsub"},
                "msg": {
                    "_id": "e9a1",
                    "email": "anna@example.com",
                    "metadata": {"delivery": "key-anna"},
                    "diag": _DIAG,
                },
            }
        ),
    ],
    (Channel.EMAIL, "unisender"): [
        _unisender(
            {
                "event_name": "unsubscribe",
                "event_time": "2026-11-01 10:00:00",
                "event_data": {"email": "anna@example.com", "just_unsubscribed_list_ids": [1]},
            }
        ),
    ],
    (Channel.EMAIL, "unisender_go"): [
        _unisender(
            {
                "event_name": "transactional_email_status",
                "event_data": {
                    "job_id": "j",
                    "metadata": {"delivery": "key-anna"},
                    "email": "anna@example.com",
                    "status": "hard_bounced",
                    "event_time": "2026-11-01 10:00:00",
                    "delivery_info": {
                        "delivery_status": "err_user_unknown",
                        "destination_response": _DIAG,
                    },
                },
            }
        ),
    ],
    (Channel.EMAIL, "sendpulse"): [
        _posted(
            [
                {
                    "event": "undelivered",
                    "timestamp": _TIME,
                    "message_id": "m",
                    "recipient": "anna@example.com",
                    "smtp_server_response_code": "550",
                    "smtp_server_response_subcode": "5.1.1",
                    "smtp_server_response": _DIAG,
                },
            ]
        ),
        _posted([{"event": "hard_bounces", "timestamp": _TIME, "email": "anna@example.com"}]),
    ],
    (Channel.WHATSAPP, "cloud_api"): [
        _whatsapp(
            statuses=[
                {
                    "id": "wamid.1",
                    "status": "failed",
                    "timestamp": str(_TIME),
                    "biz_opaque_callback_data": "key-anna",
                    "errors": [
                        {
                            "code": 131050,
                            "title": "No marketing",
                            "message": "No marketing",
                            "error_data": {"details": "They stopped it"},
                        }
                    ],
                }
            ],
            user_preferences=[
                {
                    "wa_id": "79990000001",
                    "category": "marketing_messages",
                    "value": "stop",
                    "detail": "stopped",
                    "timestamp": _TIME,
                }
            ],
        ),
    ],
    (Channel.VIBER, "bot_api"): [
        *_calls(VIBER),
        _posted(
            {
                "event": "failed",
                "timestamp": 1767225600000,
                "message_token": 4,
                "user_id": "01234567890A=",
                "desc": "failure description",
            }
        ),
    ],
    (Channel.SMS, "smsc"): [
        HookRequest(
            "POST",
            {},
            {},
            urlencode(
                {
                    "id": "15",
                    "phone": "79990000001",
                    "status": "20",
                    "err": "1",
                    "ts": str(_TIME),
                    "cost": "3.5",
                    "md5": "0" * 32,
                }
            ).encode(),
        ),
    ],
}
"""What the simulators do not call with."""
