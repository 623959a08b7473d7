"""Which sentences there are; every language has them all."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """`{shop}` is the shop's name."""

    bound: str
    link_used: str
    link_expired: str
    link_unknown: str
    welcome_stranger: str
    welcome_known: str
    stopped: str
    help_known: str
    help_stranger: str
    old_button: str


def in_language(locale: str, languages: Mapping[str, Words]) -> Words:
    return languages.get(locale) or languages["en"]
