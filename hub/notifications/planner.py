"""Plans for many people, of whom most are alike: each kind of plan is made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels.base import Category, Channel, Tells
from channels.registry import SANDBOX
from hub.accounts.book import AccountBook
from hub.contacts.addresses import Kind
from hub.notifications.model import AccountFacts, Ask, ContactFacts, Plan, Skipped, Step, Target
from hub.notifications.plan import make_plan, quiet_until
from hub.shops.registry import Shop

_MOST = 10_000
"""Kinds of plans that are remembered."""


@dataclass(frozen=True, slots=True)
class _Course:
    """A plan of nobody in particular. Per step its channel, the places of its addresses among the person's,
    `until` and `wait`."""

    steps: tuple[tuple[Channel, tuple[int, ...], Tells | None, timedelta | None], ...]
    skipped: tuple[Skipped, ...]
    skipped_json: bytes


class Planner:
    """Shops' settings and accounts stay as they are while a process lives."""

    def __init__(self, accounts: AccountBook) -> None:
        self._book = accounts
        self._accounts: dict[int, Mapping[Channel, Sequence[AccountFacts]]] = {}
        self._courses: dict[tuple[Any, ...], _Course] = {}

    def plan(
        self,
        shop: Shop,
        ask: Ask,
        contact: ContactFacts,
        *,
        variants: frozenset[Channel],
        now: datetime,
    ) -> Plan:
        """As `make_plan` with the accounts that the shop has."""
        kind = _kind(shop, ask, contact, variants)
        course = self._courses.get(kind)
        if course is None:
            if len(self._courses) >= _MOST:
                self._courses.clear()
            course = self._courses[kind] = self._course(shop, ask, contact, variants, now)
        if not course.steps:
            return Plan((), course.skipped, None, course.skipped_json)
        at = ask.send_at if ask.send_at and ask.send_at > now else now
        held = quiet_until(ask.category, contact, shop.settings, at=at)
        return Plan(_steps(course, contact), course.skipped, held, course.skipped_json)

    def _course(
        self,
        shop: Shop,
        ask: Ask,
        contact: ContactFacts,
        variants: frozenset[Channel],
        now: datetime,
    ) -> _Course:
        accounts = self._accounts_of(shop.id)
        plan = make_plan(ask, contact, shop.settings, variants=variants, accounts=accounts, now=now)
        places = {id_: i for i, id_ in enumerate(contact.addresses.ids)}
        steps = (
            (s.channel, tuple(places[t.address_id] for t in s.targets), s.until, s.wait)
            for s in plan.steps
        )
        return _Course(tuple(steps), plan.skipped, plan.skipped_json)

    def _accounts_of(self, shop_id: int) -> Mapping[Channel, Sequence[AccountFacts]]:
        if shop_id not in self._accounts:
            self._accounts[shop_id] = {
                channel: [
                    AccountFacts(
                        a.provider, a.tells, a.provider == SANDBOX, tuple(map(Kind, a.kinds))
                    )
                    for a in self._book.of(shop_id, channel)
                ]
                for channel in Channel
            }
        return self._accounts[shop_id]


def _kind(
    shop: Shop, ask: Ask, contact: ContactFacts, variants: frozenset[Channel]
) -> tuple[Any, ...]:
    """All that a plan depends on, but for the hour and where exactly somebody lives."""
    agreed = ask.category is Category.MARKETING and contact.consents
    return (
        shop.id,
        ask.category,
        ask.strategy,
        ask.channels,
        ask.until,
        ask.wait,
        variants,
        contact.preferences.get(ask.category),
        tuple(agreed.items()) if agreed else None,
        contact.addresses.forms,
    )


def _steps(course: _Course, contact: ContactFacts) -> tuple[Step, ...]:
    held = contact.addresses
    return tuple(
        [
            Step(
                channel,
                tuple(
                    [Target(held.ids[i], held.values[i], held.forms[i].provider) for i in places]
                ),
                until,
                wait,
            )
            for channel, places, until, wait in course.steps
        ]
    )
