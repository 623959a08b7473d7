"""What WooCommerce tells, by hook or when it is read: who said it, of what it is, and what is passed over."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Any

from channels.base import BadHook, HookRequest
from channels.proof import same
from hub.sources.model import Action, Incoming, Kind
from hub.sources.platforms.wire import digest
from hub.sources.platforms.woocommerce_objects import changed, whitelisted
from hub.sources.values import text

KINDS: Mapping[str, Kind] = {
    "order": Kind.ORDER,
    "customer": Kind.CUSTOMER,
    "product": Kind.PRODUCT,
}
_ACTIONS: Mapping[str, Action] = {
    "created": Action.CREATED,
    "updated": Action.UPDATED,
    "restored": Action.UPDATED,
    "deleted": Action.DELETED,
}
# Carts of the block checkout, and what the editor opens before anything is saved: no orders yet.
_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
_STAFF = frozenset({"administrator", "editor", "author", "contributor", "shop_manager"})


def is_ping(request: HookRequest) -> bool:
    """Of a new hook: a form without a signature, and without anything to tell."""
    return (
        "x-wc-webhook-signature" not in request.headers
        and request.body.startswith(b"webhook_id=")
        and request.body.removeprefix(b"webhook_id=").isdigit()
    )


def prove(request: HookRequest, secret: str) -> None:
    """The key is the secret as it was entered, with its prefix: for WooCommerce it is any text. Raises `BadHook`."""
    digest = hmac.new(secret.encode(), request.body, hashlib.sha256).digest()
    given = request.headers.get("x-wc-webhook-signature", "")
    if not secret or not same(given, base64.b64encode(digest).decode()):
        raise BadHook("wrong signature", forged=True)


def heard(headers: Mapping[str, str], given: Mapping[str, Any], meta: Collection[str]) -> Incoming:
    """Raises `BadHook` where it says of nothing which it is."""
    topic = text(headers.get("x-wc-webhook-topic"), 100)
    resource, _, event = topic.partition(".")
    kind, action = KINDS.get(resource), _ACTIONS.get(event)
    # Made of the hook and the second: all orders of a second have one delivery id, so it is no key by itself.
    delivery = text(headers.get("x-wc-webhook-delivery-id"), 100)
    key = f"{delivery}:{topic}:{digest(given)}"
    object_ = text(given.get("id"))
    if kind is None or action is None:
        return Incoming(None, None, object_, key, ignored="topic")
    if not object_ and "code" in given:
        # Built with the rights of who made the hook: theirs are gone, and the error is the body.
        return Incoming(kind, action, "", key, ignored="no-rights")
    if not object_:
        raise BadHook("the object has no id")
    if action is Action.DELETED:
        return Incoming(kind, action, object_, key, payload={"id": object_})
    return incoming(kind, action, given, key, meta)


def incoming(
    kind: Kind, action: Action, given: Mapping[str, Any], key: str, meta: Collection[str]
) -> Incoming:
    """`given` has an id."""
    payload = whitelisted(kind, given, meta)
    ignored = _passed_over(kind, payload)
    return Incoming(
        kind,
        action,
        text(given.get("id")),
        key,
        happened_at=changed(payload),
        payload=None if ignored else payload,
        ignored=ignored,
    )


def _passed_over(kind: Kind, payload: Mapping[str, Any]) -> str:
    if kind is Kind.ORDER and text(payload.get("status")).removeprefix("wc-") in _DRAFTS:
        return "draft"
    if kind is Kind.CUSTOMER and text(payload.get("role")) in _STAFF:
        return "staff"
    return ""
