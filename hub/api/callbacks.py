"""What the OpenAPI document says of the requests that the hub itself sends to the shop's backend."""

from collections.abc import Mapping
from typing import Any

from hub.orders.model import RequestStatus
from hub.webhooks.model import TEST, EventType

_Schema = Mapping[str, Any]

_TEXT: _Schema = {"type": "string"}
_TEXT_OR_NULL: _Schema = {"type": ["string", "null"]}
_TIME: _Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: _Schema = {"type": ["string", "null"], "format": "date-time"}
_ID: _Schema = {"type": "string", "format": "uuid"}
_QUANTITY: _Schema = {"type": "integer", "minimum": 0}


def _object(required: Mapping[str, _Schema], more: Mapping[str, _Schema] | None = None) -> _Schema:
    """Members may be added in later versions: a reader passes over those that it does not know."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(more or {})},
    }


_NOTIFICATION = _object(
    {
        "notification": _object(
            {"id": _ID, "status": _TEXT, "template": _TEXT_OR_NULL, "category": _TEXT}
        ),
        "contact": _object({"external_id": _TEXT_OR_NULL}),
        "delivery": {
            "description": "The one that made it so; null where there was none.",
            "type": ["object", "null"],
            "properties": {
                "id": _ID,
                "channel": _TEXT,
                "provider": _TEXT_OR_NULL,
                "account": _TEXT_OR_NULL,
                "status": _TEXT,
                "reason": _TEXT_OR_NULL,
                "code": _TEXT_OR_NULL,
            },
        },
        "meta": {
            "description": "The notification's own, as it was given.",
            "type": ["object", "null"],
        },
    }
)

_CONTACT = _object({"external_id": _TEXT})

_ORDER = _object({"external_id": _TEXT, "number": _TEXT, "status": _TEXT})

_SELLER: _Schema = {**_TEXT_OR_NULL, "description": "`external_id`; null: erased since."}
_WAREHOUSE: _Schema = {**_TEXT_OR_NULL, "description": "`external_id`; null: there is none."}
_CONFIRMED: _Schema = {
    **_QUANTITY,
    "type": ["integer", "null"],
    "description": "null: not answered yet.",
}

_STOCK_REQUEST = _object(
    {
        "stock_request": _object(
            {
                "id": _ID,
                "status": {"type": "string", "enum": [str(status) for status in RequestStatus]},
                "seller": _SELLER,
                "warehouse": _WAREHOUSE,
                "revision": {
                    "type": "integer",
                    "description": "How often it was answered in full.",
                },
                "opened_at": _TIME,
                "deadline": _TIME_OR_NULL,
                "answered_at": _TIME_OR_NULL,
                "lines": {
                    "type": "array",
                    "items": _object(
                        {
                            "id": _TEXT,
                            "sku": _TEXT,
                            "asked": _QUANTITY,
                            "confirmed": _CONFIRMED,
                            "answered_by": {
                                **_TEXT_OR_NULL,
                                "description": "A contact's `external_id`, or a name.",
                            },
                            "answered_at": _TIME_OR_NULL,
                            "via": _TEXT_OR_NULL,
                        }
                    ),
                },
            }
        ),
        "order": _object({"external_id": _TEXT, "number": _TEXT}),
    }
)

_STOCK_CONFIRMED = _object(
    {
        "order": _ORDER,
        "revision": {
            "type": "integer",
            "description": "Grows with each correction; the highest counts.",
        },
        "lines": {
            "type": "array",
            "items": _object(
                {
                    "id": _TEXT,
                    "sku": _TEXT,
                    "asked": _QUANTITY,
                    "confirmed": _QUANTITY,
                    "seller": _SELLER,
                    "warehouse": _WAREHOUSE,
                }
            ),
        },
    }
)

_BECAME = {
    EventType.NOTIFICATION_SENT: "A provider has taken a message of the notification",
    EventType.NOTIFICATION_DELIVERED: "It reached a device or mailbox",
    EventType.NOTIFICATION_READ: "It was read",
    EventType.NOTIFICATION_FAILED: "It could not be delivered on any channel",
    EventType.NOTIFICATION_EXPIRED: "Its time was over before it could leave",
    EventType.NOTIFICATION_UNDELIVERABLE: "Nobody could be reached; `skipped` says why, per channel",
}

_EVENTS: Mapping[str, tuple[str, _Schema]] = {
    **{type_: (summary, _NOTIFICATION) for type_, summary in _BECAME.items()},
    EventType.CONTACT_LINKED: (
        "A person bound a messenger by a link",
        _object({"contact": _CONTACT, "channel": _TEXT}),
    ),
    EventType.CONTACT_UNSUBSCRIBED: (
        "A person wants no more of a category on a channel; null: of any",
        _object(
            {"contact": _CONTACT, "channel": _TEXT, "category": _TEXT_OR_NULL, "source": _TEXT}
        ),
    ),
    EventType.CONTACT_BLOCKED: (
        "An address is not written to any more: blocked, complained of or dead",
        _object({"contact": _CONTACT, "channel": _TEXT, "reason": _TEXT, "code": _TEXT_OR_NULL}),
    ),
    EventType.CONTACT_REPLIED: (
        "A person wrote to the shop on a channel without a bot, by SMS or WhatsApp",
        _object({"contact": _CONTACT, "channel": _TEXT, "text": _TEXT}),
    ),
    EventType.STOCK_REQUEST_OPENED: ("A warehouse was asked what is there", _STOCK_REQUEST),
    EventType.STOCK_REQUEST_ANSWERED: (
        "A stock request was answered in full, or such an answer was corrected",
        _STOCK_REQUEST,
    ),
    EventType.STOCK_REQUEST_OVERDUE: ("Nobody answered in time", _STOCK_REQUEST),
    EventType.STOCK_REQUEST_ESCALATED: ("Somebody further up was asked", _STOCK_REQUEST),
    EventType.ORDER_STOCK_CONFIRMED: (
        "All stock requests of an order are answered: per line how many there are",
        _STOCK_CONFIRMED,
    ),
    EventType.ORDER_ASSEMBLED: (
        "The last part of an order was packed",
        _object({"order": _ORDER, "assembled_at": _TIME}),
    ),
    EventType.ACCOUNT_PAUSED: (
        "A provider refuses or fails; the account is left alone for a while",
        _object(
            {
                "account": _TEXT,
                "refused": {"type": "boolean"},
                "reason": _TEXT,
                "code": _TEXT,
                "paused_until": _TIME,
            }
        ),
    ),
    EventType.ACCOUNT_RESUMED: ("A paused account works again", _object({"account": _TEXT})),
    TEST: ("Sent by `POST /v1/webhooks/{id}/test`", _object({"webhook": _object({"id": _ID})})),
}

_HEADERS: Mapping[str, str] = {
    "webhook-id": "The event's id: the same at every try, so that a second one can be passed over.",
    "webhook-timestamp": "Unix seconds of this try.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; two of them, separated by"
    " a space, for a day after a rotation.",
}


def described() -> dict[str, Any]:
    """The `webhooks` of the document, by the type of event."""
    return {str(type_): {"post": _request(str(type_), *shown)} for type_, shown in _EVENTS.items()}


def _request(type_: str, summary: str, data: _Schema) -> dict[str, Any]:
    body = _object({"type": {"type": "string", "const": type_}, "timestamp": _TIME, "data": data})
    return {
        "operationId": f"callback.{type_}",
        "tags": ["Webhooks"],
        "summary": summary,
        "description": "Signed after Standard Webhooks 1.0.0. Tried for more than a day until a 2xx comes within"
        " 15 seconds; redirects are not followed.",
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Nobody is there any more: the webhook is switched off."},
            "default": {
                "description": "Not taken: it is tried again, not before `Retry-After` where there is one."
            },
        },
    }
