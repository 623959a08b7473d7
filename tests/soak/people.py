"""Who is written to: the same people for the feeder, the providers and the check afterwards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = re.compile(r"\b[tcs]\d{7}\b")
"""What every text carries: of a notification, of one that looks whether sending goes on, of an order."""

KEEPERS = 6
"""Storekeepers, two in each messenger."""

_MESSENGERS = ("telegram", "vk", "max")
_TELEGRAM, _VK, _MAX, _KEEPER = 10_000_000, 20_000_000, 30_000_000, 9_000_000
_REFUSED_EVERY = 211


@dataclass(frozen=True, slots=True)
class Person:
    number: int

    @property
    def external_id(self) -> str:
        return f"buyer-{self.number}"

    @property
    def refused(self) -> bool:
        """Every provider refuses to write to this person, for good."""
        return self.number % _REFUSED_EVERY == _REFUSED_EVERY - 1

    @property
    def on(self) -> Mapping[str, str]:
        """Where each channel reaches this person."""
        return {
            "email": f"buyer-{self.number}@example.com",
            "telegram": str(_TELEGRAM + self.number),
            "vk": str(_VK + self.number),
            "max": str(_MAX + self.number),
            "sms": f"+7900{self.number:07}",
            "push": f"device-{self.number}",
        }

    @property
    def recipient(self) -> dict[str, Any]:
        """As a request names this person."""
        on = self.on
        return {
            "external_id": self.external_id,
            "addresses": {
                "email": on["email"],
                "phone": on["sms"],
                "telegram": on["telegram"],
                "vk": on["vk"],
                "max": on["max"],
                "push": [{"provider": "fcm", "token": on["push"]}],
            },
            "consents": {
                "marketing": dict.fromkeys(("email", "telegram", "vk", "max"), "subscribed")
            },
        }


@dataclass(frozen=True, slots=True)
class Keeper:
    """A storekeeper of a warehouse of his own, asked in one messenger."""

    number: int

    @property
    def channel(self) -> str:
        return _MESSENGERS[self.number % len(_MESSENGERS)]

    @property
    def address(self) -> str:
        return str(_KEEPER + self.number)

    @property
    def warehouse(self) -> str:
        return f"place-{self.number}"


def mark_of(text: str) -> str:
    """Empty where the text carries none."""
    found = MARK.search(text)
    return found[0] if found else ""
