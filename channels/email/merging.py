"""Letters of one skeleton as one letter with places, for services that fill in the fields themselves."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from channels.base import Message, Skeleton
from channels.email.mime import one_line

Content = tuple[str, str, str]
"""Subject, text and HTML."""

# That are under way at once; one that was forgotten is written anew.
_SKELETONS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """How a service writes a place: `{{name}}`. `signs`: what tags are made of. `names`: how those of the fields begin.
    `empty`: whether a field may have nothing in it. `largest`: bytes of JSON that a letter with places may have."""

    opening: str
    closing: str
    signs: str
    names: str
    empty: bool
    largest: int

    def place(self, name: str) -> str:
        return f"{self.opening}{name}{self.closing}"


@dataclass(frozen=True, slots=True)
class WithPlaces:
    """Text and HTML as the service gets them, and the fields whose places are in them, by name and by number."""

    text: str
    html: str
    names: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Filling:
    """One letter: what goes into the places of `letter`, in the order of its names. `beside`: its subject and the name of
    its reader, which must be free of tags, too."""

    skeleton: Skeleton
    letter: WithPlaces
    values: tuple[str, ...]
    beside: tuple[str, str]

    @property
    def named(self) -> dict[str, str]:
        return dict(zip(self.letter.names, self.values, strict=True))


def content(message: Message) -> Content:
    message = message.whole()
    return one_line(message.subject), message.text, message.html


def letter(
    messages: Sequence[Message], tags: Tags, names: tuple[str, str, str]
) -> tuple[Content, list[dict[str, str]]]:
    """What all get, and what is filled into it for each: nothing where all get the same. `names`: of the fields for
    subject, text and HTML where these are filled in whole."""
    subject, text, html = map(tags.place, names)
    if len(messages) > 1 and (merged := together(messages, tags)):
        shared_by_all = merged[0].letter
        return (subject, shared_by_all.text, shared_by_all.html), [
            {names[0]: one_line(message.subject)} | own.named
            for message, own in zip(messages, merged, strict=True)
        ]
    contents = list(map(content, messages))
    if len(set(contents)) == 1:
        return contents[0], []
    if not contents[0][2]:
        return (subject, text, ""), [dict(zip(names, own[:2], strict=False)) for own in contents]
    return (subject, text, html), [dict(zip(names, own, strict=True)) for own in contents]


def filling(message: Message, tags: Tags) -> Filling | None:
    """None: the letter has to go whole. So does one in whose own words there is a sign of the tags: whether what was
    filled in is looked through for places again, no service tells."""
    merged = message.merged
    letter = with_places(merged.skeleton, tags) if merged else None
    if merged is None or letter is None:
        return None
    known, beside = merged.filling, (message.subject, message.to_name)
    if isinstance(known, Filling) and known.letter is letter and known.beside == beside:
        return known
    values = tuple([merged.fields[number] for number in letter.numbers])
    own = "".join((*beside, *values))
    if any(sign in own for sign in tags.signs) or ("" in values and not tags.empty):
        return None
    if not message.taken_apart and (
        (letter.html and not message.html) or (letter.text and not message.text)
    ):
        # Nothing but places, and nothing in them: a letter without that part.
        return None
    merged.filling = found = Filling(merged.skeleton, letter, values, beside)
    return found


def shared(messages: Iterable[Message], tags: Tags, least: int) -> Mapping[str, Filling]:
    """By the letter's key: those that can be merged with so many others at least. Only those of its own batch count, so
    that a repeat is put together as the first time."""
    found = [(m.key, m.batch_key, made) for m in messages if (made := filling(m, tags))]
    alike = Counter((batch, made.skeleton) for _, batch, made in found)
    return {key: made for key, batch, made in found if alike[batch, made.skeleton] >= least}


def together(messages: Sequence[Message], tags: Tags) -> list[Filling] | None:
    """Of letters that are all of one skeleton and may be merged; None where they are not."""
    found = [made for m in messages if (made := filling(m, tags))]
    one = len(found) == len(messages) and len({made.skeleton for made in found}) == 1
    return found if one else None


@lru_cache(maxsize=_SKELETONS)
def with_places(skeleton: Skeleton, tags: Tags) -> WithPlaces | None:
    """None where the text holds a tag of its own, or a sign of one beside a place, or is too long."""
    pieces = (*skeleton.text, "", *skeleton.html)
    numbers = sorted({piece for piece in pieces if isinstance(piece, int)})
    names = {number: f"{tags.names}{number}" for number in numbers}
    if _confuses(pieces, tags):
        return None
    text, html = (
        "".join(p if isinstance(p, str) else tags.place(names[p]) for p in part)
        for part in (skeleton.text, skeleton.html)
    )
    if len(orjson.dumps((text, html))) > tags.largest:
        return None
    return WithPlaces(text, html, tuple(names.values()), tuple(numbers))


def _confuses(pieces: Sequence[str | int], tags: Tags) -> bool:
    for before, piece, after in zip(("", *pieces), pieces, (*pieces[1:], ""), strict=False):
        if not isinstance(piece, str):
            continue
        signs = tuple(tags.signs)
        touches = (isinstance(before, int) and piece.startswith(signs)) or (
            isinstance(after, int) and piece.endswith(signs)
        )
        if touches or tags.opening in piece:
            return True
    return False
