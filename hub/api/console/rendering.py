"""The console's templates and words, and how moments, numbers and addresses are shown in them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import segno
from babel.dates import format_datetime, format_timedelta
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

import hub
from hub.config import Locale
from hub.content.formats import Formats

FOLDER: Final = Path(hub.__file__).parent.parent / "templates" / "console"


class _Environment(Environment):
    """Where a mapping has a key `keys` or `copy`, `said.keys` is that."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


ENVIRONMENT: Final = _Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """`short`: what is said at first glance; `exact`: the whole of it, to the second."""

    iso: str
    short: str
    exact: str


def moment(formats: Formats, at: datetime, now: datetime | None = None) -> Moment:
    """Within a day as the time since, later the day and the clock, of another year the day."""
    now = now or datetime.now(UTC)
    there = at.astimezone(formats.zone)
    away = at - now
    exact = _cldr(there, formats, "d MMM y, HH:mm:ss")
    if abs(away) < timedelta(seconds=5):
        short = {"ru": "только что"}.get(formats.locale.language, "just now")
    elif abs(away) < timedelta(hours=20):
        short = format_timedelta(
            away, add_direction=True, threshold=1.2, format="short", locale=formats.locale
        )
    elif there.year == now.astimezone(formats.zone).year:
        short = _cldr(there, formats, "d MMM, HH:mm")
    else:
        short = _cldr(there, formats, "d MMM y")
    return Moment(at.astimezone(UTC).isoformat(timespec="seconds"), short, exact)


def span(formats: Formats, length: timedelta) -> str:
    """`0,4 с`, `12 с`, `3 мин 5 с`, `2 ч 10 мин`, `3 дн`."""
    marks = _MARKS.get(formats.locale.language, _MARKS["en"])
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return f"{formats.number(round(seconds, 1))} {marks[0]}"
    total = round(seconds)
    for size, at in ((86400, 3), (3600, 2), (60, 1)):
        if total >= size:
            rest = total % size // (size // (24 if at == 3 else 60))
            more = f" {rest} {marks[at - 1]}" if rest else ""
            return f"{total // size} {marks[at]}{more}"
    return f"{total} {marks[0]}"


_MARKS: Mapping[str, tuple[str, str, str, str]] = {
    "ru": ("с", "мин", "ч", "дн"),
    "en": ("s", "min", "h", "d"),
}


def _cldr(there: datetime, formats: Formats, pattern: str) -> str:
    return format_datetime(there, pattern, locale=formats.locale)


@cache
def words(module: str, locale: Locale) -> Mapping[str, Any]:
    """Those that all modules share, with the module's own; of tables that both have, the module's entries win."""
    shared = _read(FOLDER / f"words.{locale}.toml")
    file = FOLDER / module / f"words.{locale}.toml"
    if not module or not file.exists():
        return shared
    return _merged(shared, _read(file))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        mine = found.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict)
        found[key] = _merged(mine, value) if both and isinstance(mine, dict) else value
    return found


def _read(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def render(name: str, values: dict[str, Any], *, block: str = "") -> str:
    """The template `name`, or that one block of it. `ui`: the macros, which see the same values."""
    values = values | _HELPERS
    macros = ENVIRONMENT.get_template("_macros.html")
    values["ui"] = macros.make_module(vars=values)
    template = ENVIRONMENT.get_template(name)
    if not block:
        return template.render(values)
    return _block(template, values, block)


def qr(text: str, label: str) -> Markup:
    """As a picture that needs no other file."""
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(border=2, omitsize=True, svgclass="qr", lineclass=None)
    named = drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    return Markup(named)  # noqa: S704 (made of squares, and a label that is escaped)


@cache
def warm_up() -> None:
    """Makes what the first look at each page would wait for. Beside other work: in a thread."""
    for name in ENVIRONMENT.list_templates(extensions=["html"]):
        ENVIRONMENT.get_template(name)


def has_block(name: str, block: str) -> bool:
    return block in ENVIRONMENT.get_template(name).blocks


def _block(template: Template, values: dict[str, Any], block: str) -> str:
    context = template.new_context(values)
    return Markup("").join(map(Markup, template.blocks[block](context)))


def browser(agent: str) -> str:
    """`Firefox, Linux`: what somebody recognises his own device by; empty where nothing is known."""
    known = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (known, system))) or agent.partition("/")[0][:40]


# In this order: each names those before it, too.
_BROWSERS = (
    ("YaBrowser/", "Яндекс Браузер"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def _moment_of(formats: Formats, seconds: float) -> str:
    return moment(formats, datetime.fromtimestamp(seconds, UTC)).short


_HELPERS: Final = {
    "moment": moment,
    "moment_of": _moment_of,
    "span": span,
    "timedelta": timedelta,
    "words": words,
}

ENVIRONMENT.filters |= {"browser": browser, "pair": lambda text: (text, text)}
