"""What a text means: an answer to "is it on the shelf?", a wish to hear nothing more, a keyword. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_WORDS = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*|\+")
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


def understood(text: str) -> Meaning:
    """None: nothing that a program should act on."""
    words = [word.casefold() for word in _WORDS.findall(text)]
    if len(words) == 1 and words[0] in _STOP | _START:
        return Wish.STOP if words[0] in _STOP else Wish.START
    return _answer(words)


def _answer(words: Sequence[str]) -> Answer | None:
    said = {word in _THERE for word in words if word in _THERE | _MISSING}
    if len(said) != 1 or len(words) > _LONGEST_ANSWER:
        return None
    rest = [word for word in words if word not in _THERE | _MISSING | _AROUND]
    [there] = said
    match rest:
        case []:
            return Answer(there)
        case [number] if _is_number(number):
            return Answer(there, number)
        case [number, quantity] if there and _is_number(number) and _is_quantity(quantity):
            return Answer(True, number, int(quantity))
    return None


def _is_number(word: str) -> bool:
    """Of an order: letters perhaps, a digit certainly."""
    return any(char.isdigit() for char in word)


def _is_quantity(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 6


def is_keyword(text: str, words: Sequence[str]) -> bool:
    """Whether the text is one of these and nothing else, however it is written."""
    said = " ".join(_WORDS.findall(text)).casefold()
    return any(said == " ".join(_WORDS.findall(word)).casefold() for word in words)
