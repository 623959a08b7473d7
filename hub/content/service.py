"""What a shop does with templates: looks at them, puts its own over them, takes its own back."""

import asyncio
import re
from html.parser import HTMLParser

from channels.base import Category, Channel
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.content import queries
from hub.content.catalog import Catalog, Template
from hub.content.locales import tag
from hub.content.model import (
    TAGS,
    WITH_HTML,
    Audience,
    ContentError,
    MissingVariable,
    Mistake,
    OwnBody,
    Source,
    TemplateDetails,
    TemplateFault,
    TemplateInfo,
    Variant,
    VariantSource,
    Version,
    WrongValue,
)
from hub.content.render import LANGUAGES
from hub.db.pool import Db, transaction
from hub.errors import Fault, InvalidInput, NotFound, Unprocessable

LARGEST_SOURCE = 256 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_LONGEST_NAME = 100
WITH_TITLE = frozenset({Channel.EMAIL, Channel.PUSH})
_NAMES = {Channel.TELEGRAM: "Telegram", Channel.MAX: "MAX"}


def list_templates(catalog: Catalog, shop_id: int) -> list[TemplateInfo]:
    """Everything the shop can name, in alphabetical order."""
    found = (catalog.find(shop_id, name) for name in catalog.names(shop_id))
    return [template.info() for template in found if template is not None]


async def get_template(db: Db, catalog: Catalog, shop_id: int, name: str) -> TemplateDetails:
    """Raises `NotFound`."""
    template = _known(catalog, shop_id, name)
    sources = [
        VariantSource(variant, own.source, built_in=False)
        for variant, own in template.own_sources().items()
    ]
    versions = await queries.versions(db, shop_id, name)
    return TemplateDetails(
        template.info(), (*sources, *_built_in_sources(template)), tuple(versions)
    )


async def put_version(
    db: Db,
    catalog: Catalog,
    shop_id: int,
    name: str,
    channel: Channel,
    locale: str,
    body: OwnBody,
    *,
    author: str = "",
    by: Actor = SYSTEM,
) -> Version:
    """Stores the shop's own text for one channel, locale and audience; in force at once in this process.

    `author` is kept with it: who stored it, such as the key's name. `by`: for the audit log. Raises `InvalidInput` with everything
    wrong with the text or a locale that no reader has, `Unprocessable` where the category is another than the
    template's.
    """
    variant = variant_of(name, channel, locale, body.audience)
    if variant.locale not in LANGUAGES:
        detail = f"must be one of {', '.join(LANGUAGES)}: no contact has another locale"
        raise InvalidInput(faults=[Fault("/locale", detail)])
    template = catalog.find(shop_id, name)
    if wrong := await mistakes(catalog, shop_id, name, variant, body.source):
        raise InvalidInput(faults=[Fault(f"/{m.part}" if m.part else "", m.text) for m in wrong])
    async with transaction(db) as connection:
        await queries.lock(connection)
        stored = await queries.in_force(connection, shop_id, name)
        category = _category(template, stored, body.category)
        version = await queries.add_version(
            connection,
            shop_id,
            name,
            variant,
            category=category,
            source=body.source,
            author=author,
        )
        await audit.record(
            connection,
            shop_id,
            by,
            Action.TEMPLATE_STORED,
            name,
            channel=channel,
            locale=variant.locale,
            audience=body.audience,
            number=version.number,
        )
    await catalog.refresh(db)
    return version


async def delete_version(
    db: Db,
    catalog: Catalog,
    shop_id: int,
    name: str,
    channel: Channel,
    locale: str,
    *,
    audience: Audience | None = None,
    author: str = "",
    by: Actor = SYSTEM,
) -> None:
    """Back to the built-in text; a template that the shop made is gone with its last text.

    All audiences' own texts of that channel and locale, or one audience's. The versions are kept. Raises
    `NotFound` where the shop has no own text there.
    """
    wanted = variant_of(name, channel, locale, audience or Audience.BUYER)
    async with transaction(db) as connection:
        await queries.lock(connection)
        stored = [
            version
            for version in await queries.in_force(connection, shop_id, name)
            if (version.variant.channel, version.variant.locale) == (channel, wanted.locale)
            and audience in (None, version.variant.audience)
        ]
        if not stored:
            raise NotFound(
                f"the shop has no own version of {name} for {channel} in {wanted.locale}"
            )
        for version in stored:
            await queries.add_version(
                connection,
                shop_id,
                name,
                version.variant,
                category=version.category,
                source=None,
                author=author,
            )
        await audit.record(
            connection,
            shop_id,
            by,
            Action.TEMPLATE_REMOVED,
            name,
            channel=channel,
            locale=wanted.locale,
            audience=audience,
        )
    await catalog.refresh(db)


def _known(catalog: Catalog, shop_id: int, name: str) -> Template:
    template = catalog.find(shop_id, name)
    if template is None:
        raise NotFound(f"there is no template {name}")
    return template


def _built_in_sources(template: Template) -> list[VariantSource]:
    """An event's file says what all channels show; it is listed once per audience and language."""
    if not template.built_in:
        return []
    return [
        VariantSource(
            Variant(Channel.EMAIL, language, audience),
            Source(text=template.built_in_source(language)),
            built_in=True,
        )
        for language in LANGUAGES
        for audience in template.info().audience
    ]


def variant_of(name: str, channel: Channel, locale: str, audience: Audience) -> Variant:
    """With the locale as it is stored. Raises `InvalidInput` where the name or the locale is none."""
    faults = []
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        detail = (
            "must be small letters, digits, _ and dots, at most 100, such as order.gift_wrapped"
        )
        faults.append(Fault("/name", detail))
    try:
        locale = tag(locale)
    except TemplateFault as fault:
        faults.append(Fault("/locale", fault.reason))
    if faults:
        raise InvalidInput(faults=faults)
    return Variant(channel, locale, audience)


def _category(
    template: Template | None, stored: list[Version], wanted: Category | None
) -> Category:
    """A template's category is settled by its first text: consent hangs on it."""
    present = template.category if template and template.built_in else None
    if present is None and stored:
        present = stored[0].category
    if present is not None and wanted not in (None, present):
        detail = f"the template is {present}, and that cannot be changed"
        raise Unprocessable(faults=[Fault("/category", detail)])
    return present or wanted or Category.TRANSACTIONAL


async def mistakes(
    catalog: Catalog, shop_id: int, name: str, variant: Variant, source: Source
) -> list[Mistake]:
    """Everything that `put_version` would not take in a text."""
    template = catalog.find(shop_id, name)
    # Compiling a long text takes a while, and others are served meanwhile.
    return await asyncio.to_thread(_mistakes, catalog, template, variant, source)


def _mistakes(
    catalog: Catalog, template: Template | None, variant: Variant, source: Source
) -> list[Mistake]:
    wrong = _misplaced(variant.channel, source)
    if wrong:
        return wrong
    try:
        rendered = catalog.try_out(template, variant, source)
    except TemplateFault as fault:
        about = fault.path if isinstance(fault, WrongValue) else ""
        return [Mistake(fault.part, str(fault), fault.line, about)]
    except MissingVariable as missing:
        text = f"{missing.path} is nothing that the hub knows"
        return [Mistake("", text, about=missing.path)]
    except ContentError as error:
        return [Mistake("", str(error))]
    return _not_shown(variant.channel, rendered.html)


def _misplaced(channel: Channel, source: Source) -> list[Mistake]:
    parts = {"subject": source.subject, "text": source.text, "html": source.html}
    wrong = [
        Mistake(part, f"is larger than {LARGEST_SOURCE // 1024} KiB")
        for part, text in parts.items()
        if len(text.encode()) > LARGEST_SOURCE
    ]
    has_title, has_html = channel in WITH_TITLE, channel in WITH_HTML
    if has_title and not source.subject.strip():
        wrong.append(Mistake("subject", f"is needed for {channel}"))
    if not has_title and source.subject:
        wrong.append(Mistake("subject", f"{channel} shows no subject"))
    if not has_html and source.html:
        wrong.append(Mistake("html", f"{channel} shows no HTML"))
    if not source.text.strip() and not (has_html and source.html.strip()):
        wrong.append(Mistake("text", "is needed"))
    return wrong


class _Tags(HTMLParser):
    """Collects what Telegram would answer `can't parse entities` to, and what MAX would take out."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[tuple[str, str]] = []
        self._channel = channel

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.open.append(tag)
        if tag not in TAGS[self._channel]:
            self.wrong.append((f"{_NAMES[self._channel]} does not know <{tag}>", f"<{tag}"))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append((f"</{tag}> closes what is not open", f"</{tag}"))


def _not_shown(channel: Channel, html: str) -> list[Mistake]:
    if channel not in TAGS:
        return []
    parser = _Tags(channel)
    parser.feed(html)
    parser.close()
    wrong = parser.wrong or [(f"<{tag}> is not closed", f"<{tag}") for tag in parser.open]
    return [Mistake("html", reason, about=about) for reason, about in wrong[:5]]
