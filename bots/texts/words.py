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
    code_used: str
    code_expired: str
    code_unknown: str
    code_too_many: str
    welcome_stranger: str
    welcome_known: str
    stopped: str
    help_known: str
    help_stranger: str
    old_button: str
    not_yours: str
    changed: str
    accepted: str
    accepted_line: str
    corrected: str
    repeated: str
    all_answered: str
    already: str
    already_none: str
    too_late: str
    closed: str
    nothing_to_pack: str
    assembled: str
    assembled_already: str
    somebody: str
    buttons_instead: str
    board: str
    board_empty: str
    board_more: str
    board_question: str
    board_assembly: str
    board_waits: str
    orders: str
    orders_empty: str
    orders_more: str
    order_line: str
    order_parts: str
    tracking: str
    help_staff: str
    group_bound: str
    group_not_bound: str
    settings: str
    settings_stranger: str
    settings_saved: str
    settings_orders: str
    settings_news: str
    settings_quiet: str
    settings_no_quiet: str
    settings_back: str
    settings_language: str
    settings_first: str
    settings_on: str
    settings_off: str
    settings_by_shop: str
    channels: Mapping[str, str]


def in_language(locale: str, languages: Mapping[str, Words]) -> Words:
    return languages.get(locale) or languages["en"]
