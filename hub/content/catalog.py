"""Every template a shop can name: the built-in ones, compiled once, and the shops' own over them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from channels.base import Category, Channel
from hub.content import queries
from hub.content.call import Call
from hub.content.formats import formats
from hub.content.locales import locales, shown_in
from hub.content.model import (
    MESSENGERS,
    Audience,
    ContentError,
    MissingVariable,
    Rendered,
    Source,
    TemplateFault,
    TemplateInfo,
    Variable,
    Variant,
    Version,
    WrongValue,
)
from hub.content.plaintext import plain
from hub.content.render import LANGUAGES, Engine, Event, Own
from hub.content.sandbox import LARGEST_OUTPUT
from hub.content.variables import CONTACT, EXAMPLE, LINKS, SHOP, assembled, at, described
from hub.content.view import Reader, shorten
from hub.db.pool import Db

_STATUSES = (
    "placed awaiting_stock confirmed partially_confirmed rejected paid assembled shipped in_city"
    " at_pickup_point delivered returned cancelled"
)
_ASKS = (Category.TRANSACTIONAL, "order", ("order", "stock"), ("order.number",))
# name -> category, the object it is about, the names of its data, the variables it cannot do without
_BUILT_IN: Mapping[str, tuple[Category, str, tuple[str, ...], tuple[str, ...]]] = {
    **{
        f"order.{status}": (Category.TRANSACTIONAL, "order", ("order",), ("order.number",))
        for status in _STATUSES.split()
    },
    # Questions to the people at the shelf; `links.answer` is the page on which they can be answered.
    "stock.request": _ASKS,
    "stock.reminder": _ASKS,
    "stock.escalated": _ASKS,
    "stock.cancelled": _ASKS,
    "stock.put_back": _ASKS,
    "order.assemble": _ASKS,
    # Once more, of an order that was changed after it was packed.
    "order.reassemble": _ASKS,
    "security.code": (Category.SECURITY, "", ("code", "minutes"), ("code",)),
    "cart.abandoned": (Category.MARKETING, "cart", ("cart",), ()),
}
# When the parcel is made ready.
_LABELS = ("order.paid", "order.assemble", "order.reassemble", "order.assembled")
ANSWERS: Mapping[str, str] = {
    "stock.request": "answer",
    "stock.reminder": "answer",
    "stock.escalated": "answer",
    "order.assemble": "mark_assembled",
    "order.reassemble": "mark_assembled",
}
"""The templates that ask; what the button says that leads to `links.answer`: a word of the layouts."""
_SUBJECT = 120
_MOST_READERS = 4096
"""Kinds of readers: channel, role, language, time zone."""
_EVERYWHERE = frozenset(Channel)


class NoVariant(ContentError):
    """The template has nothing for that channel and audience; `Template.channels` would have told."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A notification's own `content`: literal text, in which braces mean nothing."""

    subject: str
    text: str
    html: str

    def render(self, channel: Channel) -> Rendered:
        """E-mail has subject, text and letter, push a title; every other channel the text.

        Where no subject was given, the first line of the text is the subject.
        """
        subject = " ".join(self.subject.split()) or shorten(self.text.partition("\n")[0], _SUBJECT)
        match channel:
            case Channel.EMAIL:
                return Rendered(subject, self.text, self.html)
            case Channel.PUSH:
                return Rendered(subject, self.text, "")
            case _:
                return Rendered("", self.text, "")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A template as readers of one kind get it on one channel: the shop's own variant, or else the built-in one."""

    reader: Reader
    channel: Channel
    _engine: Engine
    _event: Event | None
    _own: Own | None

    def render(self, call: Call, *, apart: bool = False) -> Rendered:
        """`apart`: see `Letter.fill`. Raises `MissingVariable`, `TemplateFault` (`WrongValue` among them)."""
        if self._own is not None:
            return self._engine.render_own(self._own, self.channel, call, apart=apart)
        assert self._event is not None  # noqa: S101
        return self._engine.render(self._event, self.channel, call)

    def try_out(self, call: Call) -> None:
        """Raises what `render` would; what it would make is not wanted."""
        if self._own is not None:
            self._engine.try_own(self._own, self.channel, call)
        else:
            self.render(call)

    def fits(self, calls: Sequence[Call]) -> list[bool]:
        """Whether `try_out` surely has nothing to say, of many at once. Raises `TemplateFault` where it is the template
        itself."""
        if self._own is None:
            return [False] * len(calls)
        return self._engine.fits_own(self._own, self.channel, calls)

    def fill(self, calls: Sequence[Call], *, apart: bool = False) -> list[Rendered | None]:
        """As `render`, of many at once; None for those that are to be rendered one by one, if only to hear what is
        wrong. Raises `TemplateFault` where it is the template itself."""
        if self._own is None:
            return [None] * len(calls)
        return self._engine.fill_own(self._own, self.channel, calls, apart=apart)


@dataclass(frozen=True, slots=True)
class Template:
    """One template as one shop has it. What is compiled lies behind it and is shared; what was looked for is
    remembered."""

    name: str
    category: Category
    _engine: Engine
    _event: Event | None
    _own: Mapping[Variant, Own]
    _shop_locale: str
    _reach: dict[tuple[str, str | None], frozenset[Channel]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _readings: dict[tuple[Any, ...], Reading] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def built_in(self) -> bool:
        return self._event is not None

    @property
    def has_own(self) -> bool:
        """Whether the shop has a variant of its own: only these are filled in."""
        return bool(self._own)

    def is_read_in(self, shop_locale: str) -> bool:
        """Whether that is the locale of the shop that it falls back to."""
        return self._shop_locale == shop_locale

    def channels(self, audience: Audience | str, locale: str | None) -> frozenset[Channel]:
        """Where the template has something for that reader, after all fall-backs."""
        if self._event is not None and audience in self._event.audiences:
            return _EVERYWHERE
        reach = self._reach.get((audience, locale))
        if reach is None:
            chain, reader = locales(locale, self._shop_locale), Audience(audience)
            found = (c for c in Channel if self._find(c, reader, chain) is not None)
            reach = self._reach[audience, locale] = frozenset(found)
        return reach

    def render(
        self,
        *,
        channel: Channel,
        audience: Audience | str,
        locale: str | None,
        timezone: str | None,
        data: Mapping[str, Any],
        contact: Mapping[str, Any] | None,
        shop: Mapping[str, Any],
        links: Mapping[str, Any],
    ) -> Rendered:
        """Raises `MissingVariable`, `TemplateFault` (`WrongValue` among them) and `NoVariant`.

        Of `contact` the built-in ones use `name`, of `shop` `name`, of `links` `unsubscribe`, `preferences` and
        `answer`; a shop's own may show whatever is there.
        """
        reading = self.reading(channel, audience, locale, timezone)
        return reading.render(Call(reading.reader, data, contact or {}, shop, links))

    def reading(
        self, channel: Channel, audience: Audience | str, locale: str | None, timezone: str | None
    ) -> Reading:
        """The very same object for the same kind of readers. Raises `NoVariant`."""
        key = (channel, audience, locale, timezone)
        known = self._readings.get(key)
        if known is not None:
            return known
        found = self._find(channel, Audience(audience), locales(locale, self._shop_locale))
        if found is None:
            raise NoVariant(f"{self.name} has nothing for {audience} on {channel}")
        language, own = found
        zone = formats(shown_in(locale, language), timezone or "")
        if len(self._readings) >= _MOST_READERS:
            self._readings.clear()
        reader = Reader(Audience(audience), language, zone)
        self._readings[key] = Reading(reader, channel, self._engine, self._event, own)
        return self._readings[key]

    def _find(
        self, channel: Channel, audience: Audience, chain: tuple[str, ...]
    ) -> tuple[str, Own | None] | None:
        """The language and the variant, None in its place for the built-in one."""
        for language in chain:
            own = self._own.get(Variant(channel, language, audience)) if self._own else None
            if own is not None:
                return language, own
            event = self._event
            if event is not None and audience in event.audiences and language in LANGUAGES:
                return language, None
            if event is None and (own := self._shared(channel, audience, language)):
                return language, own
        return None

    def _shared(self, channel: Channel, audience: Audience, language: str) -> Own | None:
        """A template the shop made has one text for all messengers, and the buyer's for everybody."""
        forms = (channel, *MESSENGERS) if channel in MESSENGERS else (channel,)
        for reader in (audience, Audience.BUYER):
            for form in forms:
                if own := self._own.get(Variant(form, language, reader)):
                    return own
        return None

    def variables(self) -> tuple[Variable, ...]:
        found = {v.name: v for v in self._event.variables} if self._event else {}
        for own in self._own.values():
            for variable in self._read(own):
                known = found.setdefault(variable.name, variable)
                found[variable.name] = replace(known, required=known.required or variable.required)
        return tuple(found.values())

    def _read(self, own: Own) -> tuple[Variable, ...]:
        try:
            return own.variables(self._engine)
        except TemplateFault:
            # Stored when more was allowed: it fails where it is sent, and the list shows the others.
            return ()

    def info(self) -> TemplateInfo:
        own, event = self._own, self._event
        audiences = {v.audience for v in own} | set(event.audiences if event else ())
        channels = set(Channel) if event else {v.channel for v in own}
        if not event and channels & set(MESSENGERS):
            channels |= set(MESSENGERS)
        languages = {v.locale for v in own} | set(LANGUAGES if event else ())
        return TemplateInfo(
            name=self.name,
            audience=tuple(a for a in Audience if a in audiences),
            category=self.category,
            channels=tuple(c for c in Channel if c in channels),
            languages=tuple(sorted(languages)),
            variables=self.variables(),
            own=bool(own),
        )

    def with_own(self, variant: Variant, source: Source) -> "Template":
        """As it would be with that text, whatever is stored."""
        own = {**self._own, variant: Own(source)}
        return replace(self, _own=own, _reach={}, _readings={})

    def own_sources(self) -> Mapping[Variant, Own]:
        return self._own

    def built_in_source(self, language: str) -> str:
        return self._engine.source(self.name, language) if self._event else ""


class Catalog:
    """All templates of all shops, in memory. `shop_locales` is read at every look-up: it may change."""

    def __init__(self, shop_locales: Mapping[int, str] | None = None) -> None:
        self._engine = _engine()
        self._shop_locales = shop_locales or {}
        self._events = {name: _event(self._engine, name) for name in _BUILT_IN}
        self._own: dict[int, dict[str, dict[Variant, Own]]] = {}
        self._categories: dict[tuple[int, str], Category] = {}
        self._found: dict[tuple[int, str], Template] = {}
        self._seen = 0
        self._refreshing = asyncio.Lock()

    def find(self, shop_id: int, name: str) -> Template | None:
        """None where neither the hub nor the shop has a template of that name."""
        locale = self._shop_locales.get(shop_id, "")
        known = self._found.get((shop_id, name))
        if known is not None and known.is_read_in(locale):
            return known
        event = self._events.get(name)
        own = self._own.get(shop_id, {}).get(name, {})
        if event is None and not own:
            return None
        category = event.category if event else self._categories[shop_id, name]
        found = Template(name, category, self._engine, event, own, locale)
        self._found[shop_id, name] = found
        return found

    def draft(self, shop_id: int, name: str, variant: Variant, source: Source) -> Template:
        """What `find` would find, were that text stored; for a name that there is not, too."""
        locale = self._shop_locales.get(shop_id, "")
        blank = Template(name, Category.TRANSACTIONAL, self._engine, None, {}, locale)
        return (self.find(shop_id, name) or blank).with_own(variant, source)

    def names(self, shop_id: int) -> list[str]:
        """What `find` finds for that shop, in alphabetical order."""
        return sorted({*self._events, *self._own.get(shop_id, {})})

    async def refresh(self, db: Db) -> bool:
        """Takes over what shops have stored since the last time; true if there was anything.

        One look at an index where nothing changed, so every process may ask once a second.
        """
        async with self._refreshing:
            newest = await queries.newest_id(db)
            if newest == self._seen:
                return False
            if newest < self._seen:
                # Another database stands behind the same address, restored or made anew.
                self._own, self._categories, self._seen = {}, {}, 0
                self._found.clear()
            for version in await queries.in_force_since(db, self._seen):
                self._take(version)
                self._seen = max(self._seen, version.id)
            return True

    def _take(self, version: Version) -> None:
        """A new mapping each time: a `Template` that was handed out stays as it was."""
        self._found.pop((version.shop_id, version.name), None)
        shop = self._own.setdefault(version.shop_id, {})
        variants = {k: v for k, v in shop.get(version.name, {}).items() if k != version.variant}
        if not version.deleted:
            variants[version.variant] = Own(version.source)
            self._categories[version.shop_id, version.name] = version.category
        if variants:
            shop[version.name] = variants
        else:
            shop.pop(version.name, None)

    def try_out(self, template: Template | None, variant: Variant, source: Source) -> Rendered:
        """The source rendered with example data, as it would be sent. Raises `ContentError`.

        `template` is what stands under the name now, None for a new name.
        """
        own = Own(source)
        own.compiled(self._engine)
        variables = {v.name: v for v in own.variables(self._engine)}
        guessed = {name for name in variables if at(EXAMPLE, name) is None}
        if template is not None:
            variables = {v.name: v for v in template.variables()} | variables
        zone = formats(variant.locale, "Europe/Moscow")
        reader = Reader(variant.audience, variant.locale, zone)
        call = Call(reader, assembled(variables.values()), CONTACT, SHOP, LINKS)
        try:
            return self._engine.render_own(own, variant.channel, call)
        except MissingVariable as missing:
            # What shops note down about people is theirs to name.
            if missing.path.startswith("contact.attributes."):
                return Rendered("", "", "")
            raise
        except WrongValue as wrong:
            # What we guessed of an unknown variable is our fault and not the template's.
            if wrong.path.replace("[0]", "[]") in guessed:
                return Rendered("", "", "")
            raise

    def check_inline(self, content: Mapping[str, Any]) -> Inline:
        """A notification's `content` made complete. Raises `TemplateFault` naming the part.

        Where there is no text, it is made of `html`. A text without `html` goes out as a plain letter.
        """
        given = {part: content.get(part) or "" for part in ("subject", "text", "html")}
        for part, value in given.items():
            if not isinstance(value, str):
                raise TemplateFault("must be text", part=part)
            if len(value.encode()) > LARGEST_OUTPUT // 2:
                raise TemplateFault(f"is larger than {LARGEST_OUTPUT // 2048} KiB", part=part)
        text = given["text"].strip() or (plain(given["html"]) if given["html"] else "")
        if not text:
            raise TemplateFault("has neither text nor html", part="content")
        return Inline(given["subject"], text, given["html"])


@cache
def _engine() -> Engine:
    """The shipped files do not change while a process runs, and compiling them takes a tenth of a second."""
    return Engine()


def _event(engine: Engine, name: str) -> Event:
    category, root, data, required = _BUILT_IN[name]
    variables = described({key: EXAMPLE[key] for key in data}, required)
    audiences = engine.audiences(name)
    return Event(
        name,
        category,
        root,
        audiences,
        variables,
        labels=name in _LABELS,
        answer=ANSWERS.get(name, ""),
    )
