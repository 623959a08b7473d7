"""What a person did and what is answered, without a messenger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from channels.base import Button
from hub.contacts import codes


@dataclass(frozen=True, slots=True)
class Started:
    """Opened the bot; `token` is what the link carried, empty without one."""

    token: str = ""


@dataclass(frozen=True, slots=True)
class Coded:
    """Wrote what looks like the code of a link, and nothing else."""

    code: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Asked for silence."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """Anything else that wants an answer, with or without text."""

    text: str = ""


class Want(StrEnum):
    ORDERS = "orders"
    SETTINGS = "settings"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Asked:
    """A command."""

    want: Want


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button. `press` is what the messenger wants to have answered, `message` what the provider calls the
    message that it stands under (empty: it is not told)."""

    press: str
    data: str = ""
    message: str = ""


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


@dataclass(frozen=True, slots=True)
class Moved:
    """The chat has a new address: a group became a supergroup. Nobody hears an answer."""

    to: str


Act = Started | Coded | Stopped | Spoke | Asked | Pressed | Blocked | Allowed | Read | Moved


@dataclass(frozen=True, slots=True)
class Said:
    """`chat` is the address in its stored form. `language`: what the messenger tells of the person, or "".

    In a group `chat` is the group's and `person` who of it said this; `name` is what the messenger calls him.
    `subscribes`: by saying anything the person lets the bot write again. `heard_at`: when it came in, which may be a
    while ago; None: just now.
    """

    chat: str
    act: Act
    language: str = ""
    person: str = ""
    name: str = ""
    subscribes: bool = False
    heard_at: datetime | None = None

    @property
    def in_group(self) -> bool:
        return bool(self.person) and self.person != self.chat


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a message of the bot shows."""

    text: str
    html: str = ""
    buttons: Rows = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """`press`: an answer to that press, shown for a moment to `person` (empty: to whose chat it is); else a
    message, with `html` where the messenger shows any.

    `page`: what the message `message` shows from now on.
    """

    text: str
    press: str = ""
    html: str = ""
    buttons: Rows = ()
    person: str = ""
    page: Page | None = None
    message: str = ""


STOP_WORDS = frozenset({"/stop", "stop", "стоп", "/стоп", "отписаться"})
START_WORDS = frozenset({"/start", "start", "начать", "старт", "/старт"})

COMMANDS: Mapping[str, Want] = {
    "/orders": Want.ORDERS,
    "/заказы": Want.ORDERS,
    "orders": Want.ORDERS,
    "заказы": Want.ORDERS,
    "мои заказы": Want.ORDERS,
    "/settings": Want.SETTINGS,
    "/настройки": Want.SETTINGS,
    "settings": Want.SETTINGS,
    "настройки": Want.SETTINGS,
    "/help": Want.HELP,
    "/помощь": Want.HELP,
    "help": Want.HELP,
    "помощь": Want.HELP,
}


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
    if (
        want := COMMANDS.get(command)
        if command.startswith("/")
        else COMMANDS.get(text.strip().lower())
    ):
        return Asked(want)
    return Coded(text.strip()) if codes.read(text) else Spoke(text)
