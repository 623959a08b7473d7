"""Turns a template and data into what one channel carries. Pure: no I/O once the engine is made."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from types import TracebackType
from typing import Any, TypeVar

import jinja2
from jinja2 import DictLoader, nodes

from channels.base import Category, Channel
from channels.sms.parts import parts
from hub.content.call import Call
from hub.content.flat import WRONG
from hub.content.formats import Unfit
from hub.content.letter import Letter, letter
from hub.content.markup import shown
from hub.content.model import (
    LONGEST,
    TAGS,
    WITH_HTML,
    Audience,
    ContentError,
    MissingVariable,
    Rendered,
    Source,
    TemplateFault,
    Variable,
    WrongValue,
)
from hub.content.plaintext import plain
from hub.content.sandbox import (
    LARGEST_OUTPUT,
    Absent,
    Environment,
    bounded,
    path,
    place,
)
from hub.content.variables import used
from hub.content.view import Reader, rest, shorten, view, words

T = TypeVar("T")

LANGUAGES = ("ru", "en")
_PUSH_TITLE, _PUSH_TEXT = 80, 240
_PARAGRAPHS = re.compile(r"\n\s*\n")
_TAG = re.compile(r"<[^<>]*>")
_BLOCK = re.compile(r"\{% block (\w+) %\}")
# What goes wrong when a template reckons with values of another kind than it expects.
_UNSUITED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class Event:
    """A built-in template: one file per language in `templates/messages/`, blocks per audience and piece."""

    name: str
    category: Category
    # The object of the data it is about, whose lines and facts the layouts show.
    root: str
    audiences: tuple[Audience, ...]
    variables: tuple[Variable, ...]
    # Those who pack are shown the link to the labels.
    labels: bool = False
    # The word on the button that leads to the page where it is answered; empty: there is nothing to answer.
    answer: str = ""


class _Compiled(dict[tuple[str, ...], jinja2.Template]):
    """Templates by what stands in their name. Each is compiled when it is first used: all of them together are a
    third of a second of each role's start."""

    def __init__(self, environment: Environment, name: str) -> None:
        self._environment = environment
        self._name = name

    def __missing__(self, key: tuple[str, ...]) -> jinja2.Template:
        return self.setdefault(key, self._environment.get_template(self._name.format(*key)))


class Engine:
    """The built-in texts and layouts, and the compiler of the shops' own."""

    def __init__(self) -> None:
        loader = DictLoader(dict(_files()))
        self._text = Environment(html=False, loader=loader)
        self._html = Environment(html=True, loader=loader)
        self._own = {html: Environment(html=html) for html in (False, True)}
        self._events = _Compiled(self._text, "messages/{}.{}.j2")
        self._letters = _Compiled(self._html, "email/{}.html")
        self._plain = _Compiled(self._text, "messages/_text.txt")
        self._tagged = _Compiled(self._html, "messages/_tagged.html")

    def audiences(self, event: str) -> tuple[Audience, ...]:
        """Those whom the event has something to tell: with a title of their own, or all with a common one."""
        blocks = _BLOCK.findall(self.source(event, LANGUAGES[0]))
        return tuple(a for a in Audience if f"{a}_title" in blocks or "title" in blocks)

    def source(self, event: str, language: str) -> str:
        """The event's file as it was written."""
        loader = self._text.loader
        assert loader is not None  # noqa: S101
        return loader.get_source(self._text, f"messages/{event}.{language}.j2")[0]

    def tree(self, source: str, *, html: bool, part: str) -> nodes.Template:
        """A shop's template, read and checked. Raises `TemplateFault` for wrong syntax and for what is not
        available."""
        try:
            return self._own[html].check(source)
        except TemplateFault as fault:
            raise TemplateFault(fault.reason, fault.line, part=part) from None
        except jinja2.TemplateSyntaxError as error:
            raise TemplateFault(error.message or "wrong syntax", error.lineno, part=part) from None
        except RecursionError:
            raise TemplateFault("it is nested too deeply", part=part) from None
        except ValueError:
            # Python reads no number of so many digits.
            raise TemplateFault("a number in it is too long", part=part) from None

    def compile(self, source: str, *, html: bool, part: str) -> jinja2.Template:
        """A shop's template. Raises `TemplateFault`."""
        tree = self.tree(source, html=html, part=part)
        try:
            return self._own[html].from_string(tree)
        except (SyntaxError, RecursionError, MemoryError):
            # Python's own compiler has a limit of twenty blocks inside each other.
            raise TemplateFault("it is nested too deeply", part=part) from None

    def letter(self, sources: Mapping[str, str]) -> Letter | None:
        """A shop's template by its parts, put together; None where it has to be run. Raises `TemplateFault`."""
        trees = {
            part: self.tree(source, html=part == "html", part=part)
            for part, source in sources.items()
        }
        try:
            return letter(trees, self._own)
        except (SyntaxError, RecursionError, MemoryError):
            return None

    def render(self, event: Event, channel: Channel, call: Call) -> Rendered:
        """One built-in message. Raises `MissingVariable` and `WrongValue`."""
        reader, roots = call.reader, call.roots()
        shop_name = call.shop.get("name") or ""
        with _told(roots, event.name):
            answer = (event.answer, call.link("answer"))
            shown = view(event.root, roots, reader, labels=event.labels, answer=answer)
            values = shown | {"shop_name": shop_name}
            piece = self._pieces(event, reader, roots | values)
            match channel:
                case Channel.SMS:
                    return Rendered("", _sms(piece("sms"), piece("sms_more")), "")
                case Channel.PUSH:
                    title = shorten(_line(piece("title")), _PUSH_TITLE)
                    return Rendered(title, shorten(_line(piece("push", "lead")), _PUSH_TEXT), "")
            values |= _common(event, call, piece) | {"code": _code(event, roots)}
            if channel is Channel.EMAIL:
                return self._letter(values, reader)
            text = _fit(self._plain[()], values, channel, reader)
            if channel in TAGS:
                return Rendered("", text, _fit(self._tagged[()], values, channel, reader))
            return Rendered("", text, "")

    def _letter(self, values: Mapping[str, Any], reader: Reader) -> Rendered:
        html = _run(self._letters[(reader.audience,)], values)
        return Rendered(values["subject"], _run(self._plain[()], values).strip(), html)

    def _pieces(self, event: Event, reader: Reader, values: dict[str, Any]) -> Callable[..., str]:
        """A function that renders the first block there is of those named, the audience's own before all."""
        template = self._events[event.name, reader.language]
        context = template.new_context(values | {"_formats": reader.formats}, shared=True)
        blocks = template.blocks

        def piece(*names: str) -> str:
            for name in names:
                block = blocks.get(f"{reader.audience}_{name}") or blocks.get(name)
                if block:
                    return "".join(block(context)).strip()
            return ""

        return piece

    def render_own(
        self, own: "Own", channel: Channel, call: Call, *, apart: bool = False
    ) -> Rendered:
        """A shop's message. `apart`: see `Letter.fill`. Raises `MissingVariable`, `WrongValue`, `TemplateFault`."""
        [made] = self._filled(own, channel, [call], apart=apart)
        return _finished(made or self._run(own, call.values()), channel)

    def fill_own(
        self, own: "Own", channel: Channel, calls: Sequence[Call], *, apart: bool = False
    ) -> list[Rendered | None]:
        """As `render_own`, for many readers of one kind; None for those with whom it has to be asked what is wrong."""
        found: list[Rendered | None] = []
        for made in self._filled(own, channel, calls, apart=apart):
            try:
                found.append(made and _finished(made, channel))
            except ContentError:
                found.append(None)
        return found

    def try_own(self, own: "Own", channel: Channel, call: Call) -> None:
        """Raises what `render_own` would; what it would make is not wanted."""
        if self.fits_own(own, channel, [call]) != [True]:
            # Rendering says what it is.
            self.render_own(own, channel, call)

    def fits_own(self, own: "Own", channel: Channel, calls: Sequence[Call]) -> list[bool]:
        """For many readers of one kind, whether `try_own` surely has nothing to say. Raises `TemplateFault`."""
        letter_ = own.letter(self)
        # Where the text is made of the HTML nobody knows how long it gets.
        if letter_ is None or not (channel is Channel.EMAIL or letter_.has_text):
            return [False] * len(calls)
        limit = LONGEST.get(channel, LARGEST_OUTPUT)
        return _by_halves(
            calls,
            lambda some: [length <= limit for length in letter_.at_most(some)],
            otherwise=False,
        )

    def _filled(
        self, own: "Own", channel: Channel, calls: Sequence[Call], *, apart: bool
    ) -> list[Rendered | None]:
        """None for those that have to be run, if only to say what is wrong."""
        letter_ = own.letter(self)
        if letter_ is None:
            return [None] * len(calls)
        apart = apart and channel is Channel.EMAIL
        return _by_halves(calls, lambda some: [*letter_.fill(some, apart=apart)], otherwise=None)

    def _run(self, own: "Own", values: dict[str, Any]) -> Rendered:
        subject, text, html = (
            self._part(own, part, values) for part in ("subject", "text", "html")
        )
        return Rendered(subject, plain(html) if html and not text else text, html)

    def _part(self, own: "Own", part: str, values: dict[str, Any]) -> str:
        template = own.compiled(self).get(part)
        if template is None:
            return ""
        with _told(values, part):
            return bounded(template, template.new_context(values, shared=True)).strip()


class Own:
    """A shop's own variant; compiled when it is first used, since most of many are never used here."""

    def __init__(self, source: Source) -> None:
        found = {"subject": source.subject, "text": source.text, "html": source.html}
        self.source = source
        self._parts = {part: text for part, text in found.items() if text}
        self._compiled: Mapping[str, jinja2.Template] | None = None
        self._letter: Letter | None = None
        self._looked = False
        self._variables: tuple[Variable, ...] | None = None

    def letter(self, engine: Engine) -> Letter | None:
        """None where it has to be run. Raises `TemplateFault`."""
        if not self._looked:
            self._letter = engine.letter(self._parts)
            self._looked = True
        return self._letter

    def compiled(self, engine: Engine) -> Mapping[str, jinja2.Template]:
        """By part, without the empty ones. Raises `TemplateFault`."""
        if self._compiled is None:
            self._compiled = {
                part: engine.compile(source, html=part == "html", part=part)
                for part, source in self._parts.items()
            }
        return self._compiled

    def variables(self, engine: Engine) -> tuple[Variable, ...]:
        """What all parts together need. Raises `TemplateFault`."""
        if self._variables is None:
            parts_ = self._parts.items()
            self._variables = used(
                [engine.tree(s, html=part == "html", part=part) for part, s in parts_]
            )
        return self._variables


def _files() -> Iterator[tuple[str, str]]:
    for folder in ("messages", "email"):
        for entry in files("templates").joinpath(folder).iterdir():
            if entry.name.endswith((".j2", ".html", ".txt")):
                yield f"{folder}/{entry.name}", entry.read_text(encoding="utf-8")


def _common(event: Event, call: Call, piece: Callable[..., str]) -> dict[str, Any]:
    """What the letters and the longer texts share beside the goods and the facts."""
    said = words(call.reader.language)
    lead, name = piece("lead"), call.contact.get("name")
    shop = call.shop.get("name") or ""
    category = event.category
    why = said["why"]["buyer" if category is Category.TRANSACTIONAL else str(category)]
    if category is Category.TRANSACTIONAL:
        why = said["why"][call.reader.audience]
    greets = call.reader.audience is Audience.BUYER and category is not Category.SECURITY
    return {
        "language": call.reader.language,
        "subject": _line(piece("subject", "title")),
        "title": _line(piece("heading", "title")),
        "preheader": _line(lead),
        "paragraphs": [p.strip() for p in _PARAGRAPHS.split(lead) if p.strip()],
        "hello": said["hello"].format(name=name) if name and greets else "",
        "why": why.format(shop=shop) if shop else "",
        # A code is read and gone; nothing to click belongs beside it.
        "preferences_url": "" if category is Category.SECURITY else call.link("preferences"),
        "unsubscribe_url": call.link("unsubscribe") if category is Category.MARKETING else "",
    }


def _code(event: Event, roots: Mapping[str, Any]) -> str:
    code = roots.get("code")
    if event.category is not Category.SECURITY:
        return ""
    if isinstance(code, bool) or not isinstance(code, str | int):
        raise Unfit("is not text", code)
    return str(code)


def _sms(base: str, more: str) -> str:
    """The addition comes along only where it costs no second part."""
    short, long = _line_spaces(base), _line_spaces(f"{base} {more}")
    return long if more and parts(long).count <= parts(short).count else short


def _by_halves(
    calls: Sequence[Call], make: Callable[[Sequence[Call]], list[T]], otherwise: T
) -> list[T]:
    """What is made of all of them at once; `otherwise` for those with which something is wrong."""
    try:
        return make(calls)
    except WRONG:
        if len(calls) == 1:
            return [otherwise]
    middle = len(calls) // 2
    return [
        *_by_halves(calls[:middle], make, otherwise),
        *_by_halves(calls[middle:], make, otherwise),
    ]


def _finished(made: Rendered, channel: Channel) -> Rendered:
    """As the channel shows it. Raises `WrongValue`."""
    made.subject = _line(made.subject)
    if channel is Channel.EMAIL:
        return made
    subject, text, html = made.subject, made.text, made.html
    if channel is Channel.SMS:
        text = _line_spaces(text)
    if channel not in WITH_HTML:
        # Of a text that messengers share, this one shows the plain part.
        html = ""
    _check_length(html or text, channel)
    return Rendered(subject, text, html)


def _line(text: str) -> str:
    """One line: subjects and titles have no other, and a line end in a header would begin the next one."""
    if text.isprintable() and "  " not in text:
        # As most are.
        return text.strip()
    return re.sub(r"[\r\n\t ]+", " ", text).strip()


def _line_spaces(text: str) -> str:
    """GSM-7 has no non-breaking space: one would halve what fits into a part."""
    return re.sub(r"[\t \u00a0\u202f]+", " ", text).strip()


def _fit(
    template: jinja2.Template, values: Mapping[str, Any], channel: Channel, reader: Reader
) -> str:
    """As many goods as the platform's limit allows, the rest as a number."""
    goods, count = values["goods"], values["goods_count"]
    shown = len(goods)
    while True:
        cut = {"goods": goods[:shown], "rest": rest(count - shown, reader)}
        text = _run(template, {**values, **cut}).strip()
        if _length(text) <= LONGEST[channel]:
            return text
        if not shown:
            raise WrongValue(
                f"makes the message longer than the {LONGEST[channel]} {channel} takes"
            )
        shown = shown * 3 // 4


def _check_length(shown: str, channel: Channel) -> None:
    """People see the text without the tags; that is what has a limit."""
    limit = LONGEST.get(channel)
    if limit is not None and len(shown) > limit and _length(shown) > limit:
        raise WrongValue(f"makes the message longer than the {limit} {channel} takes")


def _length(text: str) -> int:
    """Characters a reader sees; the tags and entities of HTML are not among them."""
    return len(shown(_TAG.sub("", text)))


def _run(template: jinja2.Template, values: Mapping[str, Any]) -> str:
    context = template.new_context(dict(values), shared=True)
    return "".join(template.root_render_func(context))


@contextmanager
def _told(roots: Mapping[str, Any], part: str) -> Iterator[None]:
    """Says in the words of `model.py` what went wrong below, and where."""
    try:
        yield
    except Absent as absent:
        raise MissingVariable(path(absent.variable, _data(roots))) from None
    except Unfit as unfit:
        where = place(unfit.value, _data(roots))
        if isinstance(unfit.value, jinja2.Undefined):
            raise MissingVariable(where) from None
        raise WrongValue(unfit.reason, where, _number(unfit.__traceback__)) from None
    except (jinja2.TemplateError, *_UNSUITED) as error:
        reason = "a value does not suit what the template does with it"
        raise TemplateFault(reason, _number(error.__traceback__), part=part) from error


def _data(roots: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in roots.items() if not name.startswith("_")}


def _number(trace: TracebackType | None) -> int:
    """The line of the template, found in the frames of its compiled code."""
    line = 0
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
