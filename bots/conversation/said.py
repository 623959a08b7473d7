"""What a person did and what is answered, without a messenger."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """Opened the bot; `token` is what the link carried, empty without one."""

    token: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Asked for silence."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """Anything else that wants an answer, with or without text."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button. `press` is what the messenger wants to have answered."""

    press: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Forbade the bot to write. Nobody hears an answer."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Lets the bot write (again); `token`: what the button that asked for it carried."""

    token: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Has seen every message up to this one, by the messenger's number in the chat."""

    up_to: int


Act = Started | Stopped | Spoke | Pressed | Blocked | Allowed | Read


@dataclass(frozen=True, slots=True)
class Said:
    """`chat` is the address in its stored form. `language`: what the messenger tells of the person, or ""."""

    chat: str
    act: Act
    language: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """`press`: an answer to that press, shown for a moment; else a message."""

    text: str
    press: str = ""


STOP_WORDS = frozenset({"/stop", "stop", "стоп", "/стоп", "отписаться"})
START_WORDS = frozenset({"/start", "start", "начать", "старт", "/старт"})


def understand(text: str) -> Act:
    """Commands and the words that people write instead of them; `/start@shop_bot` is `/start`."""
    first, _, rest = text.strip().partition(" ")
    command = first.partition("@")[0].lower() if first.startswith("/") else first.lower()
    if command == "/start":
        return Started(rest.strip())
    if text.strip().lower() in START_WORDS:
        return Started()
    if command == "/stop" or text.strip().lower() in STOP_WORDS:
        return Stopped()
    return Spoke(text)
