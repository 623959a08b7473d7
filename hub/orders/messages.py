"""Questions to sellers and storekeepers as their channels get them, always from the present state.

A messenger with a bot shows text and buttons; everywhere else it is the template that the notification names,
with the link to the page where the same is asked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.contacts import queries as contacts_
from hub.content.model import ContentError
from hub.db.pool import Db
from hub.notifications.interactive import Asking, Interactive, Parts
from hub.orders import links, shown, views
from hub.orders.buttons import Action, data_for
from hub.orders.links import Asked
from hub.orders.model import (
    ABOVE,
    ACTIVE,
    REMINDER,
    AssemblyStatus,
    Kind,
    Question,
    QuestionLine,
    Repacked,
    RequestStatus,
    Task,
)
from hub.orders.words import Words, words
from hub.preferences.choices import preferences_url
from hub.resources import Hub

_WITH_BUTTONS = frozenset({Channel.TELEGRAM, Channel.VK, Channel.MAX})


def interactives(hub: Hub) -> tuple[Interactive, ...]:
    """Every kind of question there is, for whoever renders."""
    return StockMessages(hub), AssemblyMessages(hub)


def reader_of(
    hub: Hub,
    kind: Kind,
    about: UUID,
    channel: Channel,
    digest: bytes,
    *,
    locale: str,
    timezone: str,
    above: bool,
    reminded: bool = False,
    contacts: frozenset[UUID] | None = None,
    back: Action | None = None,
) -> shown.Reader:
    """`digest`: of the chat; the buttons are of no use in another one. `above`, `reminded` and
    `contacts`: see `shown.Reader`."""

    def data(action: Action) -> str:
        return data_for(hub.signer, kind, about, digest, action)

    return shown.Reader(channel, locale, timezone, data, back, above, reminded, contacts)


class StockMessages:
    """`stock`: "do you have these lines?"."""

    kind = str(Kind.STOCK)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def render(self, db: Db, asked: Sequence[Asking]) -> Mapping[UUID, Parts]:
        now = datetime.now(UTC)
        questions = await views.questions(db, {one.about for one in asked})
        urls = await _urls(self._hub, db, Kind.STOCK, asked)
        readers = await _readers(db, asked, questions)
        found: dict[UUID, Parts] = {}
        for one in asked:
            if question := questions.get(one.about):
                url, contacts = urls.get(one.id, ""), readers.get(one.id, frozenset())
                found[one.id] = self._one(one, question, url, contacts, now)
        return found

    def _one(
        self,
        asking: Asking,
        question: Question,
        url: str,
        contacts: frozenset[UUID] | None,
        now: datetime,
    ) -> Parts:
        if asking.channel in _WITH_BUTTONS:
            reader = _reader(self._hub, Kind.STOCK, asking, contacts)
            return shown.shown(question, reader, shown.page(asking.page), now)
        said, number = words(asking.locale), question.order_number
        if question.status not in ACTIVE:
            text = said.sms_closed.format(number=number)
            return Parts(text, subject=said.cancelled_title.format(number=number))
        stock = {"warehouse": question.warehouse_name, "reason": question.reason}
        if question.deadline:
            stock["deadline"] = question.deadline.isoformat()
        data = _data(asking, question.open_lines) | {"stock": stock}
        otherwise = said.sms_ask.format(number=number, url=url).strip()
        title = said.asked_title.format(number=number)
        return _from_template(self._hub, asking, data, url, Parts(otherwise, subject=title))


class AssemblyMessages:
    """`assembly`: "it is paid, make it ready"."""

    kind = str(Kind.ASSEMBLY)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def render(self, db: Db, asked: Sequence[Asking]) -> Mapping[UUID, Parts]:
        now = datetime.now(UTC)
        tasks = await views.tasks(db, {one.about for one in asked})
        urls = await _urls(self._hub, db, Kind.ASSEMBLY, asked)
        found: dict[UUID, Parts] = {}
        for one in asked:
            if task := tasks.get(one.about):
                found[one.id] = self._one(one, task, urls.get(one.id, ""), now)
        return found

    def _one(self, asking: Asking, task: Task, url: str, now: datetime) -> Parts:
        if asking.channel in _WITH_BUTTONS:
            return shown.assembly(task, _reader(self._hub, Kind.ASSEMBLY, asking), now)
        said, number = words(asking.locale), task.order_number
        if task.waits or task.status is not AssemblyStatus.OPEN:
            title = _title(task, said).format(number=number)
            return Parts(title, subject=title)
        data = _data(asking, task.lines)
        if task.again:
            data |= {"stock": {"changes": [_changed(one) for one in task.changes]}}
        sms = said.sms_again if task.again else said.sms_assemble
        otherwise = sms.format(number=number, url=url).strip()
        title = (said.again_title if task.again else said.assemble_title).format(number=number)
        return _from_template(self._hub, asking, data, url, Parts(otherwise, subject=title))


def _title(task: Task, said: Words) -> str:
    """Of one that is not to be packed now."""
    if task.waits:
        return said.waits_title
    is_done = task.status is AssemblyStatus.ASSEMBLED
    return said.assembled_title if is_done else said.assembly_cancelled


async def _readers(
    db: Db, asked: Sequence[Asking], questions: Mapping[UUID, Question]
) -> Mapping[UUID, frozenset[UUID] | None]:
    """By `Asking.id`, who reads the message, where it matters: a press counts for whoever has the chat, which may be
    several contacts. None: a group."""
    answered = [
        one
        for one in asked
        if (question := questions.get(one.about)) and question.status is RequestStatus.ANSWERED
    ]
    # Group chats are contacts without an id of the shop.
    places = {(one.shop_id, one.digest) for one in answered if one.contact.external_id}
    known = await contacts_.ids_at(db, places) if places else {}
    return {
        one.id: known.get((one.shop_id, one.digest), frozenset())
        if one.contact.external_id
        else None
        for one in answered
    }


def _reader(
    hub: Hub, kind: Kind, asking: Asking, contacts: frozenset[UUID] | None = None
) -> shown.Reader:
    return reader_of(
        hub,
        kind,
        asking.about,
        asking.channel,
        asking.digest,
        locale=asking.locale,
        timezone=asking.timezone,
        above=asking.contact.role in ABOVE,
        reminded=asking.template == REMINDER,
        contacts=contacts,
    )


async def _urls(hub: Hub, db: Db, kind: Kind, asked: Sequence[Asking]) -> Mapping[UUID, str]:
    """By `Asking.id`, for those who have no buttons."""
    without = {
        one.id: Asked(one.shop_id, kind, one.about, one.contact.id)
        for one in asked
        if one.channel not in _WITH_BUTTONS
    }
    if not without:
        return {}
    urls = await links.answer_urls(hub, db, set(without.values()))
    return {id_: urls[one] for id_, one in without.items()}


def _data(asking: Asking, lines: Sequence[QuestionLine]) -> dict[str, Any]:
    """What the notification was made with, with the lines as they are now."""
    order = dict(asking.data.get("order") or {})
    shown_lines = []
    for line in lines:
        found: dict[str, Any] = {"title": line.title, "sku": line.sku, "quantity": line.asked}
        if line.price is not None:
            found["price"] = str(line.price)
        shown_lines.append(found)
    return {**asking.data, "order": {**order, "lines": shown_lines}}


def _changed(one: Repacked) -> dict[str, Any]:
    return {"title": one.title, "sku": one.sku, "was": one.was, "now": one.now}


def _from_template(
    hub: Hub, asking: Asking, data: Mapping[str, Any], url: str, otherwise: Parts
) -> Parts:
    """`otherwise`: where a shop's own text asks for what an order does not have. People are asked anyway."""
    shop = hub.shops[asking.shop_id]
    template = hub.catalog.find(shop.id, asking.template)
    if template is None:
        return otherwise
    try:
        rendered = template.render(
            channel=asking.channel,
            audience=asking.contact.role,
            locale=asking.locale,
            timezone=asking.timezone,
            data=data,
            contact=_contact(asking),
            shop=shop.shown,
            links=_links(hub, asking, url),
        )
    except ContentError:
        return otherwise
    return Parts(rendered.text, rendered.html, rendered.subject)


def _links(hub: Hub, asking: Asking, url: str) -> dict[str, str]:
    if asking.contact.external_id is None:
        return {"answer": url}
    return {"answer": url, "preferences": preferences_url(hub, asking.contact.id)}


def _contact(asking: Asking) -> dict[str, Any]:
    contact = asking.contact
    return {
        "name": contact.name,
        "external_id": contact.external_id,
        "locale": asking.locale,
        "attributes": contact.attributes,
    }
