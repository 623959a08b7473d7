"""From a delivery to the message that its provider gets."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from channels.base import Button, Category, Channel, Message
from hub.content.call import Call
from hub.content.catalog import Inline, Reading, Template
from hub.content.model import ContentError, Rendered
from hub.content.plaintext import plain
from hub.notifications.claims import Claimed
from hub.notifications.interactive import Asking, Parts
from hub.notifications.model import ContactFacts
from hub.preferences.choices import preferences_url
from hub.preferences.unsubscribe import unsubscribe_url
from hub.resources import Hub
from hub.shops.registry import Shop

# Of a letter: characters up to which its text is kept for others that have the same.
_REMEMBERED = 100_000
# Where providers fill in templates of their own.
_FILLED_THERE = frozenset({Channel.WHATSAPP})


class CannotRender(Exception):
    """What the author of the template or the data has to mend; the text names it."""


def asking_of(hub: Hub, delivery: Claimed) -> Asking:
    """A delivery that is a question, as those who render questions take it."""
    shop = hub.shops[delivery.shop_id]
    return Asking(
        id=delivery.id,
        shop_id=delivery.shop_id,
        about=UUID((delivery.interaction or {})["id"]),
        contact=delivery.contact,
        channel=delivery.channel,
        address=delivery.value or "",
        digest=delivery.digest or b"",
        locale=delivery.locale or delivery.contact.locale or shop.settings.locale,
        timezone=delivery.contact.timezone or shop.settings.timezone,
        template=delivery.template or "",
        data=delivery.data,
    )


class Filled(NamedTuple):
    """What a message says, and its link to unsubscribe, of which that may be a part."""

    rendered: Rendered
    unsubscribe: str


def filled(hub: Hub, deliveries: Sequence[Claimed], *, apart: bool = False) -> dict[UUID, Filled]:
    """Of those of them whose templates are only to be filled in: many at once, which takes a fraction of the time.
    The others are left to `message_for`, which also says what is wrong with them."""
    groups: dict[Reading, list[tuple[Claimed, Call]]] = {}
    for delivery in deliveries:
        if delivery.template is None or delivery.interaction:
            continue
        shop = hub.shops[delivery.shop_id]
        template = hub.catalog.find(shop.id, delivery.template)
        if template is None or not template.has_own:
            continue
        with suppress(ContentError):
            reading, call = _call(hub, shop, delivery, template, _unsubscribe(hub, delivery))
            groups.setdefault(reading, []).append((delivery, call))
    found: dict[UUID, Filled] = {}
    for reading, some in groups.items():
        with suppress(ContentError):
            made = reading.fill([call for _, call in some], apart=apart)
            for (delivery, call), rendered in zip(some, made, strict=True):
                if rendered is not None:
                    found[delivery.id] = Filled(rendered, call.link("unsubscribe"))
    return found


def message_for(
    hub: Hub,
    delivery: Claimed,
    batch_key: str,
    parts: Mapping[UUID, Parts] | None = None,
    *,
    apart: bool = False,
    account: str = "",
    filled: Filled | None = None,
) -> Message:
    """`parts`: of the deliveries that are questions. `batch_key` counts only where the delivery was in no batch before.
    `apart`: for an adapter that is `Merging`. `account`: the name of the one that it goes by. `filled`: what is known of
    it already. Raises `CannotRender`."""
    shop = hub.shops[delivery.shop_id]
    rendered: Rendered | Parts
    buttons: tuple[tuple[Button, ...], ...] = ()
    if filled is not None:
        rendered, unsubscribe = filled
    elif delivery.interaction:
        question = (parts or {}).get(delivery.id)
        if question is None:
            raise CannotRender("what was to be asked is no longer there")
        rendered, buttons = question, question.buttons
        unsubscribe = _unsubscribe(hub, delivery)
    elif delivery.template is None:
        rendered = inline(delivery.content or {}).render(delivery.channel)
        # Only letters have a place for it beside what they say.
        unsubscribe = _unsubscribe(hub, delivery) if delivery.channel is Channel.EMAIL else ""
    else:
        template = hub.catalog.find(shop.id, delivery.template)
        if template is None:
            raise CannotRender(f"the template {delivery.template} is no longer there")
        unsubscribe = _unsubscribe(hub, delivery)
        try:
            reading, call = _call(hub, shop, delivery, template, unsubscribe)
            rendered = reading.render(call, apart=apart)
        except ContentError as error:
            raise CannotRender(str(error)) from error
    return Message(
        key=str(delivery.id),
        to=delivery.value or "",
        text=rendered.text,
        subject=rendered.subject,
        html=rendered.html,
        category=delivery.category,
        batch_key=str(delivery.batch_key) if delivery.batch_key else batch_key,
        to_name=delivery.contact.name if delivery.channel is Channel.EMAIL else "",
        unsubscribe_url=unsubscribe,
        expires_at=delivery.expires_at,
        collapse_key=delivery.collapse_key or "",
        buttons=buttons,
        template=delivery.template or "",
        locale=delivery.locale or delivery.contact.locale or shop.settings.locale,
        values=_values(delivery, shop) if delivery.channel in _FILLED_THERE else {},
        session_open=delivery.session_open,
        doubtful=delivery.doubt_since is not None and delivery.account == account,
        merged=rendered.merged if isinstance(rendered, Rendered) else None,
    )


def _values(delivery: Claimed, shop: Shop) -> Mapping[str, Any]:
    """What providers' own templates may be filled with: the data, and the two things that are always known."""
    about = {"name": delivery.contact.name, "external_id": delivery.contact.external_id}
    return {**delivery.data, "contact": about, "shop": {"name": shop.name}}


def _unsubscribe(hub: Hub, delivery: Claimed) -> str:
    if delivery.category is not Category.MARKETING:
        return ""
    return unsubscribe_url(hub, delivery.contact_id, delivery.channel, delivery.category)


def _call(
    hub: Hub, shop: Shop, delivery: Claimed, template: Template, unsubscribe: str
) -> tuple[Reading, Call]:
    """Raises `NoVariant`."""
    # Those known by an address only have nothing to choose.
    known = delivery.contact.external_id
    return call_of(
        template,
        shop,
        delivery.channel,
        delivery.contact,
        locale=delivery.locale,
        data=delivery.data,
        unsubscribe=unsubscribe,
        preferences=preferences_url(hub, delivery.contact_id) if known else "",
    )


def call_of(
    template: Template,
    shop: Shop,
    channel: Channel,
    contact: ContactFacts,
    *,
    locale: str | None,
    data: Mapping[str, Any],
    unsubscribe: str = "",
    preferences: str = "",
) -> tuple[Reading, Call]:
    """A message to that person, as the worker renders it, and as the intake tries it before it accepts. Raises
    `NoVariant`."""
    spoken = locale or contact.locale or shop.settings.locale
    zone = contact.timezone or shop.settings.timezone
    reading = template.reading(channel, contact.role, spoken, zone)
    links: dict[str, str] = {}
    if unsubscribe:
        links["unsubscribe"] = unsubscribe
    if preferences:
        links["preferences"] = preferences
    about = {
        "name": contact.name,
        "external_id": contact.external_id,
        "locale": spoken,
        "attributes": contact.attributes,
    }
    return reading, Call(reading.reader, data, about, shop.shown, links)


def inline(content: Mapping[str, str]) -> Inline:
    """A notification's own content; a letter without a text part gets one."""
    html = content.get("html", "")
    return Inline(content.get("subject", ""), content.get("text", "") or _text_of(html), html)


def _text_of(html: str) -> str:
    """Reading takes much longer than sending, and the same content often goes to many."""
    return _remembered(html) if len(html) <= _REMEMBERED else plain(html)


@lru_cache(maxsize=32)
def _remembered(html: str) -> str:
    return plain(html)
