"""One variant of a shop's own template, put together once: a letter of it costs its values and no more."""

from collections.abc import Mapping, Sequence

from jinja2 import nodes

from channels.base import Merged, Skeleton
from hub.content.flat import Field, Fields, Given, NotPlain, Part, part
from hub.content.model import Rendered
from hub.content.plaintext import PlainText, plain
from hub.content.sandbox import LARGEST_OUTPUT, Environment


class Letter:
    """The parts as text with places. `fill` raises one of `flat.WRONG` where the template is to be run instead."""

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

    def at_most(self, given: Given) -> int:
        """How long each part is that `fill` makes, or less; raises as it does."""
        return self._constant + self._repeats * sum([len(read(given)) for read in self._fields])

    def fill(self, given: Given, *, apart: bool = False) -> Rendered:
        """`apart`: the text and HTML of a letter that has fields may be left to whoever needs them."""
        values = [read(given) for read in self._fields]
        subject = _whole(self._parts["subject"], values)
        html_part, text_part = self._parts["html"], self._parts["text"]
        if self._plain is not None:
            found = self._plain.of(values)
            if found is None:
                html = _whole(html_part, values)
                return Rendered(subject, plain(html), html, None)
            text_part, cores = found
            values += cores
        merged = self._merged(text_part, html_part, values)
        if apart and merged and _stays_apart(text_part, html_part, values):
            return Rendered(subject, "", "", merged)
        text, html = _whole(text_part, values), _whole(html_part, values)
        if html and not text:
            # Then the text is made of the HTML after all.
            raise NotPlain
        return Rendered(subject, text, html, merged)

    def _merged(self, text: Part, html: Part, values: list[str]) -> Merged | None:
        skeleton = self._skeletons.get((text, html))
        if skeleton is None:
            skeleton = self._skeletons[text, html] = Skeleton(text.pieces, html.pieces)
        return Merged(skeleton, tuple(values)) if text.fields or html.fields else None


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
