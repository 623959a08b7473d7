"""One variant of a shop's own template, put together once: a letter of it costs its values and no more.

Letters are filled in many at a time; `rows` are the values of one letter each, `columns` those of one field in all.
"""

from collections.abc import Mapping, Sequence

from jinja2 import nodes

from channels.base import Merged, Skeleton
from hub.content.call import Call
from hub.content.flat import Field, Fields, Given, NotPlain, Part, part
from hub.content.model import Rendered
from hub.content.plaintext import PlainText, plain
from hub.content.sandbox import LARGEST_OUTPUT, Environment


class Letter:
    """The parts as text with places. `fill` and `at_most` take calls of readers of one kind, and raise one of
    `flat.WRONG` where the template is to be run for one of them instead."""

    def __init__(self, parts: Mapping[str, Part], fields: Sequence[Field]) -> None:
        self._parts = parts
        self._fields = tuple(fields)
        self.has_text = any(isinstance(p, str) and p.strip() for p in parts["text"].pieces)
        self._constant = max(part.constant for part in parts.values())
        self._repeats = max(part.repeats for part in parts.values())
        self._skeletons: dict[tuple[Part, Part], Skeleton] = {}
        html = parts["html"]
        self._plain = (
            PlainText(html, len(fields)) if html.pieces and not parts["text"].pieces else None
        )

    def at_most(self, calls: Sequence[Call]) -> list[int]:
        """How long each part is that `fill` makes of each of them, or less; raises as it does."""
        return [
            self._constant + self._repeats * sum(map(len, row)) for row in self._rows(Given(calls))
        ]

    def fill(self, calls: Sequence[Call], *, apart: bool = False) -> list[Rendered]:
        """`apart`: the text and HTML of letters that have fields may be left to whoever needs them."""
        rows = self._rows(Given(calls))
        if self._plain is None:
            text = self._parts["text"]
            return [self._filled(row, text, apart=apart) for row in rows]
        texts = self._plain.of(rows)
        return [
            self._read(row)
            if found is None
            else self._filled(row + found[1], found[0], apart=apart)
            for row, found in zip(rows, texts, strict=True)
        ]

    def _rows(self, given: Given) -> list[tuple[str, ...]]:
        columns = [read(given) for read in self._fields]
        return list(zip(*columns, strict=True)) if columns else [()] * len(given.calls)

    def _read(self, values: Sequence[str]) -> Rendered:
        """One whose text is made of its HTML by reading that."""
        html = _whole(self._parts["html"], values)
        return Rendered(_whole(self._parts["subject"], values), plain(html), html)

    def _filled(self, values: tuple[str, ...], text_part: Part, *, apart: bool) -> Rendered:
        subject, html_part = _whole(self._parts["subject"], values), self._parts["html"]
        merged = self._merged(text_part, html_part, values)
        if apart and merged and _stays_apart(text_part, html_part, values):
            return Rendered(subject, "", "", merged)
        text, html = _whole(text_part, values), _whole(html_part, values)
        if html and not text:
            # Then the text is made of the HTML after all.
            raise NotPlain
        return Rendered(subject, text, html, merged)

    def _merged(self, text: Part, html: Part, values: tuple[str, ...]) -> Merged | None:
        skeleton = self._skeletons.get((text, html))
        if skeleton is None:
            skeleton = self._skeletons[text, html] = Skeleton(text.pieces, html.pieces)
        return Merged(skeleton, values) if text.fields or html.fields else None


def letter(
    trees: Mapping[str, nodes.Template], environments: Mapping[bool, Environment]
) -> Letter | None:
    """None where a part has to be run as a whole. `trees` as they came from `Environment.check`."""
    fields = Fields()
    parts: dict[str, Part] = {}
    for name in ("subject", "text", "html"):
        found = Part(())
        if name in trees:
            made = part(trees[name], environments[name == "html"], fields)
            if made is None:
                return None
            found = made.stripped()
        parts[name] = found
    return Letter(parts, fields.made)


def _stays_apart(text: Part, html: Part, values: Sequence[str]) -> bool:
    """Whether `_whole` would have nothing to say of either: they are not too long, and nothing is to be stripped."""
    if text.would_be_stripped(values) or (html.pieces and html.would_be_stripped(values)):
        return False
    longest = sum(map(len, values))
    return text.at_most(longest) <= LARGEST_OUTPUT and html.at_most(longest) <= LARGEST_OUTPUT


def _whole(part: Part, values: Sequence[str]) -> str:
    made = part.fill(values)
    if len(made) + part.stripped_off > LARGEST_OUTPUT or made != made.strip():
        # Too long; or values with white space at an end of the whole, where it is taken off.
        raise NotPlain
    return made
