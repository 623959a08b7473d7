"""From a delivery to the message that its provider gets."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from channels.base import Button, Category, Channel, Message
from hub.content.catalog import Inline, Template
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


def message_for(
    hub: Hub,
    delivery: Claimed,
    batch_key: str,
    parts: Mapping[UUID, Parts] | None = None,
    *,
    apart: bool = False,
    account: str = "",
) -> Message:
    """`parts`: of the deliveries that are questions. `batch_key` counts only where the delivery was in no batch before.
    `apart`: for an adapter that is `Merging`. `account`: the name of the one that it goes by. Raises `CannotRender`."""
    shop = hub.shops[delivery.shop_id]
    unsubscribe = ""
    if delivery.category is Category.MARKETING:
        unsubscribe = unsubscribe_url(hub, delivery.contact_id, delivery.channel, delivery.category)
    rendered: Rendered | Parts
    buttons: tuple[tuple[Button, ...], ...] = ()
    if delivery.interaction:
        question = (parts or {}).get(delivery.id)
        if question is None:
            raise CannotRender("what was to be asked is no longer there")
        rendered, buttons = question, question.buttons
    else:
        try:
            rendered = _rendered(hub, shop, delivery, unsubscribe, apart=apart)
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


def _rendered(
    hub: Hub, shop: Shop, delivery: Claimed, unsubscribe: str, *, apart: bool
) -> Rendered:
    if delivery.template is None:
        return inline(delivery.content or {}).render(delivery.channel)
    template = hub.catalog.find(shop.id, delivery.template)
    if template is None:
        raise CannotRender(f"the template {delivery.template} is no longer there")
    return from_template(
        template,
        shop,
        delivery.channel,
        delivery.contact,
        locale=delivery.locale,
        data=delivery.data,
        unsubscribe=unsubscribe,
        # Those known by an address only have nothing to choose.
        preferences=preferences_url(hub, delivery.contact_id)
        if delivery.contact.external_id
        else "",
        apart=apart,
    )


def from_template(
    template: Template,
    shop: Shop,
    channel: Channel,
    contact: ContactFacts,
    *,
    locale: str | None,
    data: Mapping[str, Any],
    unsubscribe: str = "",
    preferences: str = "",
    trial: bool = False,
    apart: bool = False,
) -> Rendered:
    """As the worker renders it, and as the intake tries it before it accepts (`trial`). `apart`: see `Letter.fill`.
    Raises `ContentError`."""
    spoken = locale or contact.locale or shop.settings.locale
    links: dict[str, str] = {}
    if unsubscribe:
        links["unsubscribe"] = unsubscribe
    if preferences:
        links["preferences"] = preferences
    return template.render(
        channel=channel,
        audience=contact.role,
        locale=spoken,
        timezone=contact.timezone or shop.settings.timezone,
        data=data,
        contact={
            "name": contact.name,
            "external_id": contact.external_id,
            "locale": spoken,
            "attributes": contact.attributes,
        },
        shop=shop.shown,
        links=links,
        trial=trial,
        apart=apart,
    )


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
