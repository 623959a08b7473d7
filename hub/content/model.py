"""The words of this package: who is spoken to, what a template is made of, what can be wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from channels.base import Category, Channel, Merged

MESSENGERS = (Channel.VK, Channel.MAX, Channel.VIBER, Channel.WHATSAPP)
"""Channels for which a shop's own text for one of them does for all."""

TAGS: Mapping[Channel, frozenset[str]] = {
    # https://core.telegram.org/bots/api#html-style
    Channel.TELEGRAM: frozenset(
        (
            *("a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "span"),
            *("strike", "strong", "tg-emoji", "tg-spoiler", "u"),
        )
    ),
    # dev.max.ru, "Форматирование текста": others are taken out without a word.
    Channel.MAX: frozenset(
        ("a", "b", "code", "del", "em", "h1", "i", "ins", "mark", "pre", "s", "strong", "u")
    ),
}
"""Messengers that show HTML, and the tags that they know."""

WITH_HTML = frozenset({Channel.EMAIL, *TAGS})

# What the platforms take; Telegram counts what is left of the text once the tags are read. Of MAX that is not known:
# its adapter sends the plain text where the tags might pass the limit.
LONGEST = {
    Channel.TELEGRAM: 4096,
    Channel.VK: 4096,
    Channel.MAX: 4000,
    Channel.VIBER: 1000,
    Channel.WHATSAPP: 4096,
}

# What the hub itself puts beside the notification's data; data under these names is not seen.
HUB_NAMES = ("contact", "shop", "links")


class Audience(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"
    WAREHOUSE = "warehouse"
    ADMIN = "admin"


@dataclass(slots=True, unsafe_hash=True)
class Rendered:
    """What one channel gets. `subject` is the letter's subject or the push title, else empty.

    `html` is a whole letter for e-mail (empty: a plain letter), the messenger's subset of HTML for Telegram and
    MAX, and empty on every other channel. `text` is always there and never HTML. `merged`: a letter's text and HTML
    once more, taken apart; where that is enough for who asks, they are nowhere else.
    """

    subject: str
    text: str
    html: str
    merged: Merged | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`name` is a dotted path into the data: `order.number`, `order.lines[].title`."""

    name: str
    required: bool
    example: Any


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """One line of the list of templates. `own`: the shop has its own version of some part of it."""

    name: str
    audience: tuple[Audience, ...]
    category: Category
    channels: tuple[Channel, ...]
    languages: tuple[str, ...]
    variables: tuple[Variable, ...]
    own: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """The parts of one variant as they were written, Jinja2."""

    subject: str = ""
    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """For whom and where a source is."""

    channel: Channel
    locale: str
    audience: Audience


@dataclass(frozen=True, slots=True)
class Version:
    """A shop's own source as it was stored. `deleted`: from here on the built-in one counts again."""

    id: int
    shop_id: int
    name: str
    variant: Variant
    number: int
    category: Category
    source: Source
    deleted: bool
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class VariantSource:
    """`built_in`: this is the built-in text, shown so that an own version can start from it."""

    variant: Variant
    source: Source
    built_in: bool


@dataclass(frozen=True, slots=True)
class TemplateDetails:
    """One template with every source in force and every version the shop ever stored, newest first."""

    info: TemplateInfo
    sources: tuple[VariantSource, ...]
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class OwnBody:
    """What a shop stores for one channel and locale. `category` counts for a new name only."""

    audience: Audience = Audience.BUYER
    category: Category | None = None
    subject: str = ""
    text: str = ""
    html: str = ""

    @property
    def source(self) -> Source:
        return Source(self.subject, self.text, self.html)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a source. `part`: subject, text or html, empty where it is not known; `line` counts from 1 in
    it, 0 where none is to blame. `about`: what may be looked for in the source then: a path, or the beginning of a tag."""

    part: str
    text: str
    line: int = 0
    about: str = ""


class ContentError(Exception):
    """A message cannot be rendered; the text says why and is meant for people."""


class MissingVariable(ContentError):
    """The data lacks what the template shows. `path` is dotted: `order.number`, `order.lines[0].title`."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is needed by the template and was not given")
        self.path = path

    @property
    def pointer(self) -> str:
        """Where it belongs in the body of the request: a JSON Pointer (RFC 6901)."""
        parts = self.path.replace("[", ".").replace("]", "").split(".")
        root = {"contact": "/recipient", "shop": "", "links": ""}.get(parts[0])
        if root is None:
            return "/".join(["/data", *parts])
        return "/".join([root, *parts[1:]]) if root else ""


class TemplateFault(ContentError):
    """The template itself is wrong. `line` counts from 1 in the faulty part, 0 where no line is to blame."""

    def __init__(self, reason: str, line: int = 0, *, part: str = "") -> None:
        where = [f"line {line}"] * bool(line) + [part] * bool(part)
        super().__init__(f"{' of '.join(where)}: {reason}" if where else reason)
        self.reason = reason
        self.line = line
        self.part = part


class WrongValue(TemplateFault):
    """The data has a value that cannot be shown as the template asks, such as an amount that is no number.

    `path` is dotted like that of `MissingVariable`, empty where it cannot be told.
    """

    def __init__(self, reason: str, path: str = "", line: int = 0) -> None:
        super().__init__(f"{path} {reason}" if path else f"a value {reason}", line)
        self.why = reason
        self.path = path

    @property
    def pointer(self) -> str:
        return MissingVariable(self.path).pointer if self.path else "/data"


JsonMapping = Mapping[str, Any]
