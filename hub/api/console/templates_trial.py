"""A test message: what is in the editor, as it looks with the chosen data, to oneself."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from channels.base import Category, Channel
from hub.api.background import INTAKE
from hub.api.body import check
from hub.api.console.frame import Visit, form
from hub.api.console.templates import Told, page, pages, source_of
from hub.api.console.templates_shown import Chosen, chosen, preview
from hub.audit import log as audit
from hub.audit.model import Action
from hub.contacts import queries as contacts
from hub.content.model import Rendered
from hub.db.pool import transaction
from hub.errors import HubError, NotAllowed
from hub.notifications.lines import Result
from hub.notifications.prepare import Prepared
from hub.notifications.request import NotificationIn
from hub.operators.model import Right

_LONGEST = 255


@pages.post("/templates/{name}/test", right=Right.SEND)
async def sent(visit: Visit) -> web.StreamResponse:
    """The page as it was, with what became of it; what is in the editor stays there, stored or not."""
    if not visit.may(Right.TEMPLATES):
        raise NotAllowed(visit.said["failed"]["no_right"])
    what, filled = chosen(visit), await form(visit)
    source = source_of(filled) if "text" in filled else None
    told = await _try(visit, what, filled)
    return await page(visit, what, source, told=told, number=filled.get("number", ""))


async def _try(visit: Visit, what: Chosen, filled: Mapping[str, str]) -> Told:
    said = visit.said["test"]
    to = filled.get("to", "").strip()[:_LONGEST]
    by_id = filled.get("kind") == "contact"
    if not to:
        return Told("bad", said["nobody"])
    source = source_of(filled) if "text" in filled else None
    shown = await preview(visit, what, source)
    if shown.rendered is None:
        return Told("bad", said["faulty"])
    if by_id and not await contacts.by_external_ids(visit.hub.db, visit.shop.id, [to]):
        return Told("bad", said["no_contact"])
    channel = what.variant.channel
    recipient = {"external_id": to} if by_id else {"address": {"channel": channel, "value": to}}
    try:
        answer = await _send(visit, what, recipient, shown.rendered)
    except HubError as error:
        return Told("bad", said["refused"].format(why=error.detail))
    if not answer["plan"]:
        reasons = {one["channel"]: one["reason"] for one in answer["skipped"]}
        why = visit.said["reasons"].get(reasons.get(channel, ""), "")
        return Told("bad", said["refused"].format(why=why or answer["status"]))
    return Told("good", said["sent"], visit.url(f"/messages/{answer['id']}"))


async def _send(
    visit: Visit, what: Chosen, recipient: Mapping[str, Any], rendered: Rendered
) -> Mapping[str, Any]:
    """What the API would answer. Raises `HubError`."""
    channel = what.variant.channel
    asked = check(
        NotificationIn,
        {
            "content": {
                "subject": rendered.subject,
                "text": rendered.text,
                "html": rendered.html if channel is Channel.EMAIL else "",
            },
            "recipient": recipient,
            # Somebody asked for it just now: no consent is needed, and no night is waited for.
            "category": Category.TRANSACTIONAL,
            "channels": [channel],
            "meta": {"test_of": what.name},
        },
    )

    def body_of(results: Sequence[Result]) -> bytes:
        [result] = results
        assert isinstance(result, Prepared)  # noqa: S101 (a fault is raised, not answered)
        return result.answer

    stored = await visit.request.app[INTAKE].accept(
        visit.shop, [asked], by=visit.actor, body_of=body_of
    )
    answer: Mapping[str, Any] = orjson.loads(stored.body)
    async with transaction(visit.hub.db) as connection:
        await audit.record(
            connection, visit.shop.id, visit.actor, Action.NOTIFICATION_SENT, answer["id"]
        )
    return answer
