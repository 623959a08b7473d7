"""Operators, what they may do in which shop, and their sessions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from hub.config import Locale

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")

IDLE = timedelta(hours=12)
"""A session that is not used for so long is over."""
LONGEST = timedelta(days=14)
"""And in any case after that."""

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200


class Role(StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    WAREHOUSE = "warehouse"
    """The warehouse's lead."""
    READER = "reader"


class Right(StrEnum):
    VIEW = "view"
    ADDRESSES = "addresses"
    """To see addresses, names and texts of people as they are."""
    SEND = "send"
    STATISTICS = "statistics"
    STOCK = "stock"
    TEMPLATES = "templates"
    SET_UP = "set_up"
    OPERATORS = "operators"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.OPERATOR: frozenset(Right) - {Right.SET_UP, Right.OPERATORS},
    Role.WAREHOUSE: frozenset({Right.VIEW, Right.STOCK}),
    Role.READER: frozenset({Right.VIEW, Right.STATISTICS}),
}

APART: tuple[Right, ...] = (Right.ADDRESSES, Right.SEND, Right.STATISTICS)
"""Rights that are given or taken apart from the role. An owner has all of them in any case."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What somebody is in one shop. `also`, `without`: of `APART`."""

    role: Role
    also: frozenset[Right] = frozenset()
    without: frozenset[Right] = frozenset()

    @property
    def rights(self) -> frozenset[Right]:
        if self.role is Role.OWNER:
            return RIGHTS[Role.OWNER]
        return (RIGHTS[self.role] | self.also) - self.without

    @classmethod
    def of(cls, role: Role, apart: Mapping[Right, bool]) -> "Membership":
        """`apart`: which of those rights there shall be; what is as the role has it, needs no mention."""
        usual = RIGHTS[role]
        also = frozenset(r for r, has in apart.items() if has and r not in usual and r in APART)
        less = frozenset(r for r, has in apart.items() if not has and r in usual and r in APART)
        return cls(role) if role is Role.OWNER else cls(role, also, less)


@dataclass(frozen=True, slots=True)
class Operator:
    """`login`: an e-mail address in lower case. `timezone` None: the shop's. `totp`: whether a second factor is asked
    for. `shops`: by their numbers, of those that the settings have or had."""

    id: UUID
    login: str
    name: str
    locale: Locale
    timezone: str | None
    theme: Theme
    totp: bool
    shops: Mapping[int, Membership]

    @property
    def shown(self) -> str:
        return self.name or self.login


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf`: what each form has to carry. `remote`, `agent`: from where it was begun."""

    id: UUID
    operator_id: UUID
    csrf: str
    remote: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


_LOGIN = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,190}")


def login_of(text: str) -> str | None:
    """As it is kept; None for what is no e-mail address."""
    text = text.strip().lower()
    return text if _LOGIN.fullmatch(text) else None
