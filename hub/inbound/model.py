"""What a text means: an answer to "is it on the shelf?", a wish to hear nothing more, a keyword. Pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_WORDS = re.compile(r"[^\W_]+(?:[-/._][^\W_]+)*|\+")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
# A part of a longer number is none.
_BEFORE, _BEHIND = r"(?<![^\W_])(?<![^\W_][-/._])", r"(?![-/._]?[^\W_])"
_LONGEST_ANSWER = 6
"""Words; whoever writes more tells a story, in which "no" may mean anything."""

_THERE = frozenset({"да", "есть", "ок", "окей", "ага", "yes", "y", "ok", "okay", "da", "est", "+"})
_MISSING = frozenset({"нет", "нету", "отсутствует", "no", "n", "none", "net"})
_AROUND = frozenset(
    {"заказ", "заказа", "заказу", "по", "всё", "все", "ничего", "шт", "штук", "штуки", "в"}
    | {
        "наличии",
        "номер",
        "спасибо",
        "order",
        "all",
        "pcs",
        "in",
        "stock",
        "nothing",
        "number",
        "thanks",
    }
)
_STOP = frozenset({"стоп", "отписка", "отписаться", "отпишите", "stop", "unsubscribe", "стопп"})
_START = frozenset({"старт", "подписка", "подписаться", "start", "subscribe", "unstop"})


@dataclass(frozen=True, slots=True)
class Answer:
    """`there`: yes or no; `number`: of the order, as written, None where none was named; `quantity`: how many
    there are, None: all."""

    there: bool
    number: str | None = None
    quantity: int | None = None


class Wish(StrEnum):
    """About being written to at all."""

    STOP = "stop"
    START = "start"


Meaning = Answer | Wish | None


def understood(text: str, numbers: Collection[str] = ()) -> Meaning:
    """None: nothing that a program should act on. `numbers`: of orders that may be meant; only one of these is
    known whatever is in it, signs and spaces (`#1001`, `A 10_01`)."""
    words = _words(text)
    if len(words) == 1 and words[0] in _STOP | _START:
        return Wish.STOP if words[0] in _STOP else Wish.START
    return _about(text.casefold(), numbers) or _answer(words)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORDS.findall(text)]


def _answer(words: Sequence[str]) -> Answer | None:
    said = {word in _THERE for word in words if word in _THERE | _MISSING}
    if len(said) != 1 or len(words) > _LONGEST_ANSWER:
        return None
    rest = _rest(words)
    [there] = said
    match rest:
        case []:
            return Answer(there)
        case [number] if _is_number(number):
            return Answer(there, number)
        case [number, quantity] if there and _is_number(number) and _is_quantity(quantity):
            return Answer(True, number, int(quantity))
    return None


def _rest(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in _THERE | _MISSING | _AROUND]


def _about(text: str, numbers: Collection[str]) -> Answer | None:
    """An answer that names one of these: as it is written, else but for its signs. Where two are written alike, it
    is none of them."""
    for pattern in (_literal, _unsigned):
        found: dict[tuple[int, int], set[str]] = {}
        for number in numbers:
            if (one := pattern(number.casefold(), text)) and (at := re.search(one, text)):
                found.setdefault((-at.start(), at.end()), set()).add(number)
        # The first in the text, for a quantity comes behind; of those that begin there the longest.
        if found and len(names := found[max(found)]) == 1:
            start, end = max(found)
            return _of_number(names.pop(), text[:-start], text[end:])
    return None


def _of_number(number: str, before: str, behind: str) -> Answer | None:
    if _rest(_words(before)):
        return None
    match _answer([*_words(before), *_words(behind)]):
        case Answer(there, None, None):
            return Answer(there, number)
        case Answer(True, quantity, None) if quantity and _is_quantity(quantity):
            return Answer(True, number, int(quantity))
    return None


# What looks for a number in a text; None where it cannot be there: there may be thousands of them.


def _literal(number: str, text: str) -> str | None:
    number = number.strip()
    if number not in text or not _PARTS.search(number):
        return None
    return _BEFORE + re.escape(number) + _BEHIND


def _unsigned(number: str, text: str) -> str | None:
    """Its letters and digits. Between two digits a sign stays a sign: `10-01` is not `1001`, nor `10 01`, which is a
    number and a quantity."""
    parts = list(_PARTS.finditer(number))
    if not parts or not all(part.group() in text for part in parts):
        return None
    pattern = parts[0].group()
    for last, part in pairwise(parts):
        if not (last.group().isdigit() and part.group().isdigit()):
            pattern += r"[\W_]*"
        elif " " in number[last.end() : part.start()]:
            pattern += r"[\W_]+"
        else:
            pattern += r"(?:[^\w\s]|_)+"
        pattern += part.group()
    return _BEFORE + pattern + _BEHIND


def _is_number(word: str) -> bool:
    """Of an order: letters perhaps, a digit certainly."""
    return any(char.isdigit() for char in word)


def _is_quantity(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 6


def is_keyword(text: str, words: Sequence[str]) -> bool:
    """Whether the text is one of these and nothing else, however it is written."""
    said = " ".join(_WORDS.findall(text)).casefold()
    return any(said == " ".join(_WORDS.findall(word)).casefold() for word in words)
