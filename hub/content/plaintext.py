"""The text part of a letter that has none: made of its HTML, for all letters of a template at once where that is right."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from itertools import count
from string import ascii_letters, digits

import html2text

from hub.content.flat import Part, escaped
from hub.content.markup import Markup

# Of so many shapes of a template's letters the text is kept; letters of any other are read one by one.
_SHAPES = 64
# Values of which it is remembered what they are, and how long they are at most: many are the same in all letters of a
# campaign.
_VALUES, _LONGEST_VALUE = 1024, 200

_SPACE = re.compile(r"\s+")
# A table's head is underlined with a mark for each column.
_MOST_COLUMNS = 40
_LONGEST_ABBREVIATION = 1000
# Elements whose text is shown by its looks or elsewhere; and those after which the reader minds its pieces.
_STRANGE = frozenset({"abbr", "pre", "textarea", "xmp", "plaintext"})
_STRUCK = frozenset({"del", "s", "strike"})
# Attributes that nothing is made of, beside the addresses of links.
_UNSEEN = frozenset(
    {"alt", "background", "bgcolor", "class", "id", "name", "src", "style", "width"}
)

_ADDRESS = re.compile(r"[^\W_][^\s\\\[\]()<>\"']*")
_SIMPLE = re.compile(r"[^\W\d_](?:[\w.,-]| (?=\w))*(?<=\w)")
_IN_WORDS = " .,-_"
# A space stands before a letter or a digit.
_NOT_IN_WORDS = ("  ", " .", " ,", " -", " \n")
_IN_ADDRESSES = (ascii_letters + digits + "_:/.?=%,;@~+-").encode()
# Punctuation around a value belongs to its shape. What is left begins with a letter or a digit: whatever means something
# in Markdown begins with a sign, or is a number with a dot. An entity is a piece of its own, and so is what follows it.
_VALUE = re.compile(
    r"""
    ([ ,.!?:;"'«(–—-]{0,3})
    (
        (?!\d+\.\s)
        [^\W_](?:[^\s\\<>&"'\x00-\x1f\x7f-\x9f]|[ \xa0\u2009\u202f]|["'&](?!nbsp)(?=[^\W\d_]))*
        (?<=[\w%₽$€₴₸)»])
    )?
    ([ ,.!?:;"'»)]{0,3})
    """,
    re.VERBOSE,
)

# What comes next may still belong to it.
_OPEN_ENTITY = re.compile(r"&[#\w.-]*$")

_Shape = tuple[str, str, str]
"""What stands before a value, of what kind it is (9: digits, x: anything else, or nothing), what stands after it."""
_WORD: _Shape = ("", "x", "")
_NUMBER: _Shape = ("", "9", "")


def plain(html: str) -> str:
    """Links and lists are kept, images and styles are not. Takes time in proportion to the length, whatever it is."""
    return _read(Markup(html))


def _read(markup: Markup) -> str:
    if markup.tangled:
        return markup.bare
    reader = _Reader(bodywidth=0)
    reader.ignore_images = True
    reader.ignore_emphasis = True
    reader.protect_links = True
    return reader.handle(markup.text).strip()


class _Reader(html2text.HTML2Text):
    """Without what it repeats as often as it was written before."""

    def handle_tag(self, tag: str, attrs: dict[str, str | None], start: bool) -> None:
        self.td_count = min(self.td_count, _MOST_COLUMNS)
        super().handle_tag(tag, attrs, start)

    def o(self, data: str, puredata: bool = False, force: bool | str = False) -> None:
        if self.abbr_data is not None and len(self.abbr_data) > _LONGEST_ABBREVIATION:
            # It was not closed.
            self.abbr_data = self.abbr_title = None
        super().o(data, puredata, force)


def _are_words(values: Sequence[str]) -> bool:
    """Whether `_SIMPLE` finds each of them; asked of all together, in a fraction of its time."""
    joined, rest = "\n".join(values) + "\n", "".join(values)
    for sign in _IN_WORDS:
        rest = rest.replace(sign, "")
    return (
        all(values)
        and rest.isalnum()
        and "".join([value[0] for value in values]).isalpha()
        and "".join([value[-1] for value in values]).isalnum()
        and not any(wrong in joined for wrong in _NOT_IN_WORDS)
    )


def _are_addresses(values: Sequence[str]) -> bool:
    """Letters and digits, and between them what means nothing in Markdown."""
    joined = "".join(values)
    return (
        joined.isascii()
        and all(values)
        and "".join([value[0] + value[-1] for value in values]).isalnum()
        and not joined.encode().translate(None, _IN_ADDRESSES)
    )


class PlainText:
    """What `plain` gives for the letters of one HTML part, without reading each of them.

    It is found out with stand-ins for the values, which are then put back. Where a value might be read in another
    way than its stand-in, there is no answer.
    """

    def __init__(self, html: Part, numbers: int) -> None:
        """`numbers`: how many fields there are; those of the text come after them."""
        self._html = html
        self._fields = sorted(html.fields)
        self._stand_ins = _StandIns(html)
        self._after = numbers
        self._look = self._looked([_WORD] * len(self._fields))[1]
        self._look.clear &= not any(
            isinstance(piece, str) and _OPEN_ENTITY.search(piece) for piece in html.pieces[:-1]
        )
        self._known: dict[tuple[_Shape | None, ...], Part | None] = {}
        self._texts: dict[tuple[str | int, ...], Part] = {}
        self._shaped = lru_cache(maxsize=_VALUES)(self._shape_of)

    def of(self, rows: Sequence[tuple[str, ...]]) -> list[tuple[Part, tuple[str, ...]] | None]:
        """The text with places of each letter, and its fields. `rows` are the letters' values, those of the HTML escaped.
        None: the letter is to be read."""
        if not self._look.clear:
            return [None] * len(rows)
        if not self._fields:
            text = self._of_shape(())
            return [(text, row) if text else None for row in rows]
        columns: list[Sequence[str]] = [*zip(*rows, strict=True)]
        shapes: list[Sequence[_Shape | None]] = []
        for number in self._fields:
            found, columns[number] = self._of_column(number, columns[number])
            shapes.append(found)
        texts = self._of_shapes(shapes, len(rows))
        return [
            (text, cores) if text else None
            for text, cores in zip(texts, zip(*columns, strict=True), strict=True)
        ]

    def _of_column(
        self, number: int, column: Sequence[str]
    ) -> tuple[Sequence[_Shape | None], Sequence[str]]:
        """The shapes of a field's values, one where all have the same, and what stands in the text. None: of a letter that
        is to be read."""
        if number not in self._look.addresses:
            if _are_words(column):
                return (_WORD,), column
            if all(column) and "".join(column).isdecimal():
                return (_NUMBER,), column
        elif number not in self._look.texts and _are_addresses(column):
            return (_WORD,), column
        found = [
            (self._shaped if len(value) <= _LONGEST_VALUE else self._shape_of)(number, value)
            for value in column
        ]
        shapes = [one and one[0] for one in found]
        cores = [one[1] if one else "" for one in found]
        return (shapes[:1] if len(set(shapes)) == 1 else shapes), cores

    def _of_shapes(
        self, shapes: Sequence[Sequence[_Shape | None]], count: int
    ) -> list[Part | None]:
        if all(len(of_field) == 1 for of_field in shapes):
            return [self._of_shape(tuple([of_field[0] for of_field in shapes]))] * count
        of_fields = [
            list(of_field) * count if len(of_field) == 1 else of_field for of_field in shapes
        ]
        return [self._of_shape(of_letter) for of_letter in zip(*of_fields, strict=True)]

    def _shape_of(self, number: int, value: str) -> tuple[_Shape, str] | None:
        """Of a value: its shape, and what its stand-in stands for as the text shows it."""
        # What follows would say the same of it.
        if number not in self._look.addresses and _SIMPLE.fullmatch(value):
            return _WORD, value
        raw = unescape(value)
        # What came from a condition or a loop may be HTML, and is then no value.
        match = _VALUE.fullmatch(raw) if escaped(raw) == value else None
        if match is None:
            return None
        before, core, after = match[1], match[2] or "", match[3]
        if number in self._look.addresses:
            if raw and not _ADDRESS.fullmatch(raw):
                return None
            if number not in self._look.texts:
                return _WORD if raw else ("", "", ""), raw
        if ":/" in raw or (self._look.struck and escaped(core) != core):
            return None
        kind = "9" if core.isdecimal() else "x" if core else ""
        return (before, kind, after), _SPACE.sub(" ", core)

    def _of_shape(self, shapes: tuple[_Shape | None, ...]) -> Part | None:
        if shapes not in self._known:
            known = [shape for shape in shapes if shape is not None]
            if len(self._known) >= _SHAPES or len(known) < len(shapes):
                return None
            markup, look = self._looked(known)
            text = self._stand_ins.places(_read(markup), self._after) if look.clear else None
            self._known[shapes] = text and self._texts.setdefault(text.pieces, text)
        return self._known[shapes]

    def _looked(self, shapes: Sequence[_Shape]) -> "tuple[Markup, _Look]":
        """A letter of these shapes, and where its values stand."""
        named = dict(zip(self._fields, shapes, strict=True))
        stand_ins = [
            escaped(self._stand_ins.of(number, named[number])) if number in named else ""
            for number in range(self._after)
        ]
        markup = Markup(self._html.fill(stand_ins))
        look = _Look(self._stand_ins)
        # What was begun and not ended is read as text, and a value may end it.
        look.clear = not markup.broken and not markup.tangled
        if look.clear:
            look.feed(markup.text)
            look.close()
        return markup, look


class _StandIns:
    """Words and numbers that stand nowhere in the letter itself."""

    def __init__(self, html: Part) -> None:
        constant = "\0".join(piece for piece in html.pieces if isinstance(piece, str)).lower()
        salt = next((s for n in range(1000, 1100) if (s := str(n)) not in constant), "")
        if not salt:
            # Whoever wrote these wrote more of them; each is looked for once.
            taken = {constant[at : at + 7] for at in range(len(constant))}
            salt = next(s for n in count(1_000_000) if (s := str(n)) not in taken)
        self._salt = salt
        self._any = re.compile(f"q{salt}x([0-9]+)q|70{salt}([0-9]{{4}})")

    def of(self, number: int, shape: _Shape) -> str:
        before, kind, after = shape
        made = {"x": f"q{self._salt}x{number}q", "9": f"70{self._salt}{number:04}", "": ""}[kind]
        return before + made + after

    def found(self, text: str) -> set[int]:
        return {int(match[1] or match[2]) for match in self._any.finditer(text)}

    def places(self, text: str, after: int) -> Part:
        """The text with fields in their place, numbered after those that are there."""
        pieces: list[str | int] = []
        at = 0
        for match in self._any.finditer(text):
            pieces += [text[at : match.start()], after + int(match[1] or match[2])]
            at = match.end()
        return Part(piece for piece in (*pieces, text[at:]) if piece != "")


class _Look(HTMLParser):
    """Where in a letter the stand-ins are. `clear`: nowhere but where any value of their kind is read as they are."""

    def __init__(self, stand_ins: _StandIns) -> None:
        super().__init__(convert_charrefs=False)
        self._found = stand_ins.found
        self.clear = True
        self.struck = False
        self.addresses: set[int] = set()
        self.texts: set[int] = set()
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.struck |= tag in _STRUCK
        self.clear &= tag not in _STRANGE and not self._found(tag)
        for name, value in attrs:
            found = self._found(value or "")
            link = tag == "a" and name == "href"
            self.clear &= not self._found(name) and (not found or link or name in _UNSEEN)
            self.addresses |= found
            self._in_link |= link and bool(found)

    def handle_endtag(self, tag: str) -> None:
        self.clear &= not self._found(tag)
        if tag == "a":
            self._in_link = False

    def handle_data(self, data: str) -> None:
        found = self._found(data)
        self.texts |= found
        # Where a link shows its own address it looks different, and values decide whether that is so.
        shows_address = "//" in data and (found or self._in_link)
        # What was begun and not ended: markup that is read as text.
        unread = found and ("<" in data or "&" in data)
        if shows_address or unread:
            self.clear = False

    def handle_entityref(self, name: str) -> None:
        self.clear &= not self._found(name)

    def handle_charref(self, name: str) -> None:
        self.clear &= not self._found(name)
