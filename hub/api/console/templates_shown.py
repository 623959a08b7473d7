"""What the pages of templates show: which text is chosen, how it looks with somebody's data, and what is wrong where."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from channels.base import Category, Channel
from channels.sms.parts import Parts, parts
from hub.api.console.bubbles import bubble
from hub.api.console.frame import Visit
from hub.contacts.model import Role
from hub.content import service
from hub.content.catalog import Template
from hub.content.model import (
    TAGS,
    Audience,
    ContentError,
    MissingVariable,
    Mistake,
    Rendered,
    Source,
    TemplateFault,
    Variant,
    WrongValue,
)
from hub.content.variables import CONTACT, LINKS, assembled
from hub.errors import NotFound
from hub.operators.model import Right
from hub.orders import desk, queries
from hub.orders.telling import data_of

_LONGEST_NUMBER = 255
_AROUND = 2
_PREFIX = re.compile(r"(line \d+)?( of )?((subject|text|html))?: ")
# What is said most often, as the operator's words know it; anything else stays as the API says it.
_SAID: Mapping[str, re.Pattern[str]] = {
    "needed": re.compile(r"is needed(?: for \w+)?"),
    "unknown": re.compile(r"(?P<what>\S+) is nothing that the hub knows"),
    "not_given": re.compile(r"(?P<what>\S+) is needed by the template and was not given"),
    "no_filter": re.compile(r"there is no filter (?P<what>\w+)"),
    "no_tag": re.compile(r"Encountered unknown tag '(?P<what>\w+)'.*", re.DOTALL),
    "not_ended": re.compile(
        r"Unexpected end of template\. Jinja was looking for the following tags: (?P<what>.+?)\. .*",
        re.DOTALL,
    ),
    "end": re.compile(r"unexpected end of template, expected (?P<what>.+?)\.?"),
    "unexpected": re.compile(r"unexpected (?P<what>.+)"),
    "strange_tag": re.compile(r"(?P<where>\w+) does not know (?P<what><.+>)"),
    "not_open": re.compile(r"(?P<what></.+>) closes what is not open"),
    "not_closed": re.compile(r"(?P<what><.+>) is not closed"),
    "too_long": re.compile(r".*makes the message longer than the (?P<what>\d+) \w+ takes"),
}
_SPOT = re.compile(r"\.?\w+$")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the address names. `category`: of a template that there is not yet, None where there is one."""

    name: str
    variant: Variant
    order: str
    category: Category | None
    template: Template | None

    @property
    def query(self) -> dict[str, Any]:
        """Goes along with each form and link."""
        return {
            "channel": str(self.variant.channel),
            "locale": self.variant.locale,
            "audience": str(self.variant.audience),
            "order": self.order,
            "new": str(self.category or ""),
        }


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A mistake at its line. `lines`: number, text, and whether it is the one; empty where no line is to blame."""

    part: str
    line: int
    text: str
    lines: Sequence[tuple[int, str, bool]]


@dataclass(frozen=True, slots=True)
class Preview:
    """`rendered` is None where it cannot be. `bubble`: as a messenger shows it. `no_order`: the chosen one is not there."""

    rendered: Rendered | None
    mistakes: Sequence[Excerpt]
    bubble: Markup = Markup("")  # noqa: RUF009 (it cannot be changed)
    sms: Parts | None = None
    no_order: bool = False


def chosen(visit: Visit) -> Chosen:
    """Raises `NotFound` for a name that there is not and is not to be made, `InvalidInput` for one that cannot be."""
    query, shop = visit.request.query, visit.shop
    name = visit.request.match_info["name"]
    template = visit.hub.catalog.find(shop.id, name)
    new = query.get("new", "")
    category = Category(new) if template is None and new in set(Category) else None
    if template is None and category is None:
        raise NotFound(visit.said["no_such"])
    channel, audience = query.get("channel", ""), query.get("audience", "")
    known = template.info().audience if template else (Audience.BUYER,)
    variant = service.variant_of(
        name,
        Channel(channel) if channel in set(Channel) else _first_channel(template),
        query.get("locale") or shop.settings.locale,
        Audience(audience) if audience in set(Audience) else known[0],
    )
    order = query.get("order", "").replace("\x00", "").strip().lstrip("№#").strip()
    return Chosen(name, variant, order[:_LONGEST_NUMBER], category, template)


def _first_channel(template: Template | None) -> Channel:
    own = [variant.channel for variant in template.own_sources()] if template else []
    return Channel.EMAIL if not own or (template and template.built_in) else own[0]


async def preview(visit: Visit, what: Chosen, source: Source | None) -> Preview:
    """`source` None: what is in force."""
    hub, shop = visit.hub, visit.shop
    template, wrong = what.template, list[Mistake]()
    if source is not None:
        wrong = await service.mistakes(hub.catalog, shop.id, what.name, what.variant, source)
        template = hub.catalog.draft(shop.id, what.name, what.variant, source)
    excerpts = [excerpt(visit, mistake, source or Source()) for mistake in wrong]
    if template is None or wrong:
        return Preview(None, excerpts)
    try:
        data, contact, no_order = await _data(visit, what, template)
        rendered = _rendered(visit, what, template, data, contact)
    except ContentError as error:
        return Preview(None, [excerpt(visit, _mistake(error), source or Source())])
    return Preview(
        rendered,
        (),
        _bubble(rendered, what.variant.channel),
        parts(rendered.text) if what.variant.channel is Channel.SMS else None,
        no_order,
    )


def _rendered(
    visit: Visit,
    what: Chosen,
    template: Template,
    data: Mapping[str, Any],
    contact: Mapping[str, Any],
) -> Rendered:
    settings = visit.shop.settings
    about = {"name": visit.shop.name, "locale": settings.locale, "timezone": settings.timezone}
    return template.render(
        channel=what.variant.channel,
        audience=what.variant.audience,
        locale=what.variant.locale,
        timezone=settings.timezone,
        data=data,
        contact=contact,
        shop=about,
        links=LINKS,
    )


async def _data(
    visit: Visit, what: Chosen, template: Template
) -> tuple[Mapping[str, Any], Mapping[str, Any], bool]:
    """Of the chosen order, else examples; the person's; and whether that order is not there."""
    examples = assembled(template.variables())
    if not what.order:
        return examples, CONTACT, False
    found = await desk.named(visit.hub.db, visit.shop.id, what.order, limit=1)
    order = await queries.by_id(visit.hub.db, visit.shop.id, found[0].id) if found else None
    if order is None:
        return examples, CONTACT, True
    data = data_of(order, Role(what.variant.audience), order.lines)
    contact = CONTACT
    if visit.may(Right.ADDRESSES):
        is_buyer = what.variant.audience is Audience.BUYER
        name = found[0].buyer_name if is_buyer else None
        contact = {**CONTACT, "name": name} if name else CONTACT
    elif data["order"]["delivery"].get("address"):
        data["order"]["delivery"]["address"] = visit.said["ui"]["hidden"]
    # The cart of a forgotten cart is no order: it shows what its buyer has in this one.
    more = {"cart": examples["cart"] | data["order"]} if "cart" in examples else {}
    return examples | data | more, contact, False


def _mistake(error: ContentError) -> Mistake:
    match error:
        case WrongValue():
            return Mistake(error.part, str(error), error.line, error.path)
        case TemplateFault():
            return Mistake(error.part, str(error), error.line)
        case MissingVariable():
            return Mistake("", str(error), about=error.path)
    return Mistake("", str(error))


def _text(visit: Visit, mistake: Mistake) -> str:
    """In the operator's language, as far as it is known."""
    plain = _PREFIX.sub("", mistake.text, count=1) if mistake.line or mistake.part else mistake.text
    for name, pattern in _SAID.items():
        if found := pattern.fullmatch(plain):
            return str(visit.said["mistakes"][name].format(**found.groupdict()))
    return plain


def excerpt(visit: Visit, mistake: Mistake, source: Source) -> Excerpt:
    """With the lines around it, where one is to blame or can be found."""
    parts_ = {"subject": source.subject, "text": source.text, "html": source.html}
    part, line = mistake.part, mistake.line
    if not line and mistake.about:
        part, line = _spot(mistake.about, {part: parts_[part]} if part else parts_) or (part, 0)
    elif line and not part:
        filled = [name for name, text in parts_.items() if text]
        part = filled[0] if len(filled) == 1 else part
    text = _text(visit, mistake)
    rows = parts_[part].splitlines() if part else []
    if not 0 < line <= len(rows):
        return Excerpt(part, line, text, ())
    first, last = max(1, line - _AROUND), min(len(rows), line + _AROUND)
    around = [(n, rows[n - 1], n == line) for n in range(first, last + 1)]
    return Excerpt(part, line, text, around)


def _spot(about: str, sources: Mapping[str, str]) -> tuple[str, int] | None:
    """The first place where it stands: a path as it is, or within a loop, where only its end is written."""
    path = re.sub(r"\[\d+\]", "", about)
    end = _SPOT.search(path)
    for needle in (path, end[0] if end and end[0].startswith(".") else path):
        for part, text in sources.items():
            if (at := text.find(needle)) >= 0:
                return part, text.count("\n", 0, at) + 1
    return None


def _bubble(rendered: Rendered, channel: Channel) -> Markup:
    if channel in TAGS and rendered.html:
        return bubble(rendered.html)
    return Markup(escape(rendered.text))  # noqa: S704 (escaped)


def letter(rendered: Rendered | None) -> str:
    """The page in the frame. A letter without HTML is its text."""
    if rendered is None:
        return "<!doctype html><title>–</title>"
    text = f"<pre style='white-space: pre-wrap; font: 15px/1.5 sans-serif'>{escape(rendered.text)}</pre>"
    return rendered.html or f"<!doctype html><meta charset=utf-8><title>–</title>{text}"
