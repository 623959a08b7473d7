"""A template's parts as constant text with places in it, where that is what they are: filled in, not run.

Most letters are long and say little that is the reader's own. What stands around that is the same for all, so it
is put together once, and each letter costs its values only. These are read place by place, for many letters at once:
what can be said of all values of a place together is quicker said than of each.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context

from hub.content.call import Call
from hub.content.formats import Formats
from hub.content.model import HUB_NAMES, TemplateFault
from hub.content.sandbox import Absent, Environment, bounded

# Filters that are methods of `Formats`.
_FORMATS = frozenset({"money", "number", "plural", "date", "time", "datetime", "phone"})


class NotPlain(Exception):
    """A value is missing or none that can be shown as it is: the template is to be run, and says what is wrong."""


class Given:
    """What the fields of some letters of one template are read from, for readers of one kind."""

    __slots__ = ("_contexts", "_values", "calls")

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        # Made for fields that are run; most templates have none.
        self._values: list[dict[str, Any]] | None = None
        self._contexts: dict[Environment, list[Context]] | None = None

    def contexts(self, template: jinja2.Template, environment: Environment) -> list[Context]:
        """Of each letter one for all fields that are run: they set nothing that another would see."""
        if self._values is None or self._contexts is None:
            self._values, self._contexts = [call.values() for call in self.calls], {}
        if environment not in self._contexts:
            self._contexts[environment] = [
                template.new_context(values, shared=True) for values in self._values
            ]
        return self._contexts[environment]


Field = Callable[[Given], list[str]]
"""What stands in a place in each of the letters, ready for the text or the HTML. Raises whatever is wrong with one."""


class Part:
    """Text with numbered fields in it: `pieces` are one or the other. `stripped_off`: white space that was around it.
    `constant`: how long it is without its fields; `repeats`: how often one of them stands in it at most."""

    __slots__ = (
        *("_ends", "_places", "_with_gaps", "constant", "fields"),
        *("pieces", "repeats", "stripped_off"),
    )

    def __init__(self, pieces: Iterable[str | int], stripped_off: int = 0) -> None:
        self.pieces = tuple(pieces)
        self.stripped_off = stripped_off
        self._with_gaps = [piece if isinstance(piece, str) else "" for piece in self.pieces]
        self._places = [(at, n) for at, n in enumerate(self.pieces) if isinstance(n, int)]
        self.fields = frozenset(number for _, number in self._places)
        ends = [(self.pieces[at], at) for at in (0, -1)] if self.pieces else []
        self._ends = [(number, at) for number, at in ends if isinstance(number, int)]
        self.constant = stripped_off + sum(map(len, self._with_gaps))
        self.repeats = max(Counter(number for _, number in self._places).values(), default=0)

    def fill(self, fields: Sequence[str]) -> str:
        """The text with the fields of these numbers in it."""
        made = self._with_gaps.copy()
        for at, number in self._places:
            made[at] = fields[number]
        return "".join(made)

    def at_most(self, longest: int) -> int:
        """How long it is, or less, filled with fields that are so long together, and before it is stripped."""
        return self.constant + self.repeats * longest

    def would_be_stripped(self, fields: Sequence[str]) -> bool:
        """Whether filled with these it is empty, or has white space at an end, given that its own was stripped."""
        for number, at in self._ends:
            if not fields[number] or fields[number][at].isspace():
                return True
        return not self.pieces

    def stripped(self) -> "Part":
        """Without the white space around, as far as it is no field's."""
        pieces = list(self.pieces)
        if pieces and isinstance(pieces[0], str):
            pieces[0] = pieces[0].lstrip()
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] = pieces[-1].rstrip()
        before, after = (
            sum(len(p) for p in ps if isinstance(p, str)) for ps in (self.pieces, pieces)
        )
        return Part((p for p in pieces if p != ""), before - after)


@dataclass(slots=True)
class Fields:
    """The fields of several parts, each once."""

    made: list[Field] = field(default_factory=list)
    _known: dict[object, int] = field(default_factory=dict)

    def number(self, key: object, make: Callable[[], Field]) -> int:
        if key not in self._known:
            self._known[key] = len(self.made)
            self.made.append(make())
        return self._known[key]


def part(tree: nodes.Template, environment: Environment, fields: Fields) -> Part | None:
    """The template as text with places; its fields are added to `fields`. None where it must be run as a whole.

    A condition or a loop that stands by itself is a field as well: what it comes to stands in its place.
    """
    if any(_names_anew(node) for node in tree.body):
        return None
    return Part(_pieces(tree.body, environment, fields))


def _names_anew(node: nodes.Node) -> bool:
    """Whether what follows it may see a name that it sets; loops and `with` keep theirs to themselves."""
    if isinstance(node, nodes.For | nodes.With):
        return False
    return isinstance(node, nodes.Assign) or any(map(_names_anew, node.iter_child_nodes()))


def _pieces(
    body: Iterable[nodes.Node], environment: Environment, fields: Fields
) -> Iterator[str | int]:
    for node in body:
        for child in node.nodes if isinstance(node, nodes.Output) else [node]:
            if isinstance(child, nodes.TemplateData):
                yield child.data
            else:
                yield _number(child, environment, fields)


def _number(node: nodes.Node, environment: Environment, fields: Fields) -> int:
    html = bool(environment.autoescape)
    match node:
        case nodes.Name() | nodes.Getattr() | nodes.Getitem() if steps := _steps(node):
            return fields.number((steps, html), lambda: _value(steps, html=html))
        case nodes.Filter(
            name=name, node=nodes.Expr() as of, kwargs=[], dyn_args=None, dyn_kwargs=None
        ) if (
            name in _FORMATS
            and (steps := _steps(of))
            and (arguments := _constants(node.args)) is not None
        ):
            key = (steps, name, arguments, html)
            return fields.number(key, lambda: _formatted(steps, name, arguments, html=html))
    return fields.number(object(), partial(_run, node, environment))


def _steps(node: nodes.Node) -> tuple[str, ...]:
    """`order.delivery.city`; empty for what is no path of names, or of names that are not the data's."""
    match node:
        case nodes.Name():
            return () if node.name.startswith("_") else (node.name,)
        case nodes.Getattr(attr=str(name)) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            before = _steps(node.node)
            return (*before, name) if before else ()
    return ()


def _constants(arguments: Sequence[nodes.Expr]) -> tuple[str, ...] | None:
    """Of a filter; None where one is anything but text that stands there."""
    known = tuple(argument.value for argument in arguments if isinstance(argument, nodes.Const))
    is_text = len(known) == len(arguments) and all(isinstance(value, str) for value in known)
    return known if is_text else None


def _value(steps: tuple[str, ...], *, html: bool) -> Field:
    start, names = _start(steps)

    def read(given: Given) -> list[str]:
        shown = [
            value if type(value) is str else _shown(value)
            for value in _values(given.calls, start, names)
        ]
        return _all_escaped(shown) if html else shown

    return read


def _formatted(
    steps: tuple[str, ...], filter_: str, arguments: tuple[str, ...], *, html: bool
) -> Field:
    show = getattr(Formats, filter_)
    start, names = _start(steps)

    def read(given: Given) -> list[str]:
        formats = given.calls[0].reader.formats
        shown = []
        for value in _values(given.calls, start, names):
            if value is None:
                # Null is not given.
                raise NotPlain
            # Of other types equal values may look different.
            if type(value) is str or type(value) is int:
                shown.append(_remembered(show, formats, value, arguments))
            else:
                shown.append(show(formats, value, *arguments))
        return _all_escaped(shown) if html else shown

    return read


def _values(calls: Sequence[Call], start: int, names: Sequence[str]) -> list[Any]:
    """What stands there in the data of each."""
    found: list[Any] = [call[start] for call in calls]
    for name in names:
        found = [value[name] for value in found]
    return found


def _start(steps: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """Which of the mappings of a `Call` the path begins in, and its names there: as `Call.roots` has them together."""
    if steps[0] in HUB_NAMES:
        return Call._fields.index(steps[0]), steps[1:]
    return Call._fields.index("data"), steps


# Amounts and days repeat from letter to letter.
@lru_cache(maxsize=16384)
def _remembered(
    show: Callable[..., str], formats: Formats, value: str | int, arguments: tuple[str, ...]
) -> str:
    return show(formats, value, *arguments)


def _run(node: nodes.Node, environment: Environment) -> Field:
    """Anything else is compiled by itself, and run."""
    body = nodes.Output([node]) if isinstance(node, nodes.Expr) else node
    template = environment.from_string(nodes.Template([body]))

    def read(given: Given) -> list[str]:
        return [bounded(template, context) for context in given.contexts(template, environment)]

    return read


def _shown(value: Any) -> str:
    if type(value) in (int, float, Decimal):
        return str(value)
    raise NotPlain


def escaped(text: str) -> str:
    """As Jinja2 does it, without its type for text that is safe."""
    # To look for each takes a third of replacing it, and most values have none of them.
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text or ">" in text:
        text = text.replace("<", "&lt;").replace(">", "&gt;")
    if "'" in text or '"' in text:
        text = text.replace("'", "&#39;").replace('"', "&#34;")
    return text


def _all_escaped(texts: list[str]) -> list[str]:
    joined = "".join(texts)
    if "&" in joined or "<" in joined or ">" in joined or "'" in joined or '"' in joined:
        return [escaped(text) for text in texts]
    return texts


WRONG: tuple[type[Exception], ...] = (
    *(NotPlain, Absent, TemplateFault, jinja2.TemplateError),
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
"""What fields raise. It is no use to the author; running the template says it in his terms."""
