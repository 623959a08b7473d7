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

    def fill(self, given: Given) -> Rendered:
        values = [read(given) for read in self._fields]
        subject = _whole(self._parts["subject"], values)
        html_part, text_part = self._parts["html"], self._parts["text"]
        html = _whole(html_part, values)
        if self._plain is None:
            text = _whole(text_part, values)
        elif found := self._plain.of(values):
            text_part, cores = found
            values += cores
            text = _whole(text_part, values)
        else:
            return Rendered(subject, plain(html), html, None)
        if html and not text:
            # Then the text is made of the HTML after all.
            raise NotPlain
        return Rendered(subject, text, html, self._merged(text_part, html_part, values))

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


def _whole(part: Part, values: Sequence[str]) -> str:
    made = part.fill(values)
    if len(made) + part.stripped_off > LARGEST_OUTPUT or made != made.strip():
        # Too long; or values with white space at an end of the whole, where it is taken off.
        raise NotPlain
    return made
