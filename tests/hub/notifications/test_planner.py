"""The planner remembers kinds of plans; nobody may notice."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

from channels.base import Category, Channel, Tells
from hub.accounts.book import AccountBook
from hub.config import QuietHours
from hub.config import Shop as ShopSettings
from hub.contacts.addresses import Kind
from hub.ids import new_id
from hub.notifications.model import (
    AccountFacts,
    Addresses,
    AddressFacts,
    Ask,
    ContactFacts,
    Plan,
    Strategy,
)
from hub.notifications.plan import make_plan
from hub.notifications.planner import Planner
from hub.shops.registry import Shop

NOW = datetime(2026, 6, 1, 20, 30, tzinfo=UTC)
EARLY = QuietHours.model_validate({"from": "00:00", "to": "04:00"})
SHOPS = [
    Shop(1, "one", ShopSettings()),
    Shop(
        2,
        "two",
        ShopSettings(quiet_hours=QuietHours.model_validate({"from": "22:00", "to": "09:00"})),
    ),
]


@dataclass(frozen=True)
class Account:
    provider: str
    tells: Tells
    kinds: Collection[str]


@dataclass
class Book:
    """Of an `AccountBook` as much as the planner asks for."""

    of_channel: dict[Channel, list[Account]] = field(
        default_factory=lambda: {
            Channel.EMAIL: [Account("smtp", Tells.SENT, ("email",))],
            Channel.TELEGRAM: [Account("bot_api", Tells.SENT, ("telegram",))],
            Channel.SMS: [Account("smsc", Tells.DELIVERED, ("phone",))],
            Channel.VIBER: [Account("bot_api", Tells.READ, ("viber",))],
            Channel.PUSH: [
                Account("fcm", Tells.SENT, ("push",)),
                Account("webpush", Tells.SENT, ("push",)),
            ],
        }
    )

    def of(self, _shop_id: int, channel: Channel) -> Sequence[Account]:
        return self.of_channel.get(channel, ())


def planner(book: Book) -> Planner:
    return Planner(cast("AccountBook", book))


def afresh(
    book: Book, shop: Shop, ask: Ask, contact: ContactFacts, variants: frozenset[Channel]
) -> Plan:
    accounts = {
        channel: [
            AccountFacts(a.provider, a.tells, kinds=tuple(map(Kind, a.kinds)))
            for a in book.of(shop.id, channel)
        ]
        for channel in Channel
    }
    return make_plan(ask, contact, shop.settings, variants=variants, accounts=accounts, now=NOW)


def anybody(random: Random) -> ContactFacts:
    """Few values of each kind, so that many come again with other addresses."""
    addresses = [
        AddressFacts(
            new_id(),
            kind,
            f"{kind}-{random.random()}",
            provider=random.choice(["fcm", "webpush", "other"]) if kind is Kind.PUSH else None,
            verified=random.random() < 0.8,
            suppressed=frozenset(random.sample([*Channel], random.choice([0, 0, 0, 1, 3]))),
        )
        for kind in (Kind.EMAIL, Kind.TELEGRAM, Kind.PHONE, Kind.PUSH, Kind.PUSH, Kind.VIBER)
        if random.random() < 0.4
    ]
    liked = tuple(random.sample([*Channel], random.choice([0, 1, 4])))
    return ContactFacts(
        new_id(),
        timezone=random.choice([None, "Asia/Novosibirsk"]),
        preferences={random.choice([*Category]): liked} if random.random() < 0.3 else {},
        quiet_hours=EARLY if random.random() < 0.1 else None,
        consents={
            (Category.MARKETING, channel): random.choice(["subscribed", "unsubscribed"])
            for channel in (Channel.EMAIL, Channel.TELEGRAM, Channel.SMS)
            if random.random() < 0.5
        },
        addresses=Addresses.of(*addresses),
    )


def anything(random: Random) -> Ask:
    return Ask(
        category=random.choice([*Category]),
        strategy=random.choice([*Strategy]),
        channels=random.choice([None, None, (Channel.SMS, Channel.EMAIL), (Channel.PUSH,)]),
        until=random.choice([Tells.DELIVERED, Tells.READ]),
        wait=timedelta(minutes=random.choice([1, 10])),
        send_at=random.choice([None, NOW + timedelta(hours=3)]),
    )


def test_a_remembered_plan_is_the_one_that_would_be_made() -> None:
    random, book = Random(1), Book()
    remembering = planner(book)
    texts = [frozenset(Channel), frozenset({Channel.EMAIL, Channel.PUSH})]

    for _ in range(3000):
        shop, ask, contact = random.choice(SHOPS), anything(random), anybody(random)
        variants = random.choice(texts)

        found = remembering.plan(shop, ask, contact, variants=variants, now=NOW)

        assert found == afresh(book, shop, ask, contact, variants)


def test_whoever_is_like_another_is_not_thought_about_again() -> None:
    random, book = Random(2), Book()
    remembering, ask = planner(book), Ask()
    contact = replace(
        anybody(random), addresses=Addresses.of(AddressFacts(new_id(), Kind.EMAIL, "a@b.example"))
    )
    other = replace(
        contact, addresses=Addresses.of(AddressFacts(new_id(), Kind.EMAIL, "c@d.example"))
    )
    first = remembering.plan(SHOPS[0], ask, contact, variants=frozenset(Channel), now=NOW)
    book.of_channel.clear()

    second = remembering.plan(SHOPS[0], ask, other, variants=frozenset(Channel), now=NOW)

    assert [s.channel for s in second.steps] == [s.channel for s in first.steps] == [Channel.EMAIL]
    assert second.steps[0].targets[0].value == "c@d.example"
