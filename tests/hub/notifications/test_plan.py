"""The plan as a table: which channels, in which order, and why not the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import Category, Channel, Tells
from channels.registry import known
from hub.config import ChannelOrder, QuietHours, Shop
from hub.contacts.addresses import KIND_OF, Kind
from hub.ids import new_id
from hub.notifications.model import (
    AccountFacts,
    Addresses,
    AddressFacts,
    Ask,
    ContactFacts,
    Plan,
    SkipReason,
    Strategy,
)
from hub.notifications.plan import make_plan, quiet_until

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SHOP = Shop()
EMAIL, TELEGRAM, VK, SMS, PUSH = (
    Channel.EMAIL,
    Channel.TELEGRAM,
    Channel.VK,
    Channel.SMS,
    Channel.PUSH,
)
ACCOUNTS: Mapping[Channel, Sequence[AccountFacts]] = {
    TELEGRAM: [AccountFacts("bot_api", Tells.SENT)],
    VK: [AccountFacts("community", Tells.READ)],
    EMAIL: [AccountFacts("smtp", Tells.SENT), AccountFacts("unisender_go", Tells.DELIVERED)],
    SMS: [AccountFacts("smsc", Tells.DELIVERED)],
    PUSH: [AccountFacts("fcm", Tells.SENT), AccountFacts("webpush", Tells.SENT)],
}


def address(channel: Channel, **more: Any) -> AddressFacts:
    return AddressFacts(new_id(), KIND_OF[channel], f"at-{channel}", **more)


def person(*channels: Channel, **more: Any) -> ContactFacts:
    return ContactFacts(new_id(), addresses=Addresses.of(*map(address, channels)), **more)


def plan(contact: ContactFacts, ask: Ask | None = None, shop: Shop = SHOP, **more: Any) -> Plan:
    options: dict[str, Any] = {"variants": set(Channel), "accounts": ACCOUNTS, "now": NOW} | more
    return make_plan(ask or Ask(), contact, shop, **options)


def way(found: Plan) -> list[Channel]:
    return [step.channel for step in found.steps]


def why(found: Plan, channel: Channel) -> SkipReason | None:
    return next((s.reason for s in found.skipped if s.channel is channel), None)


def marketing(*channels: Channel, state: str = "subscribed") -> dict[tuple[str, str], str]:
    return {(Category.MARKETING, channel): state for channel in channels}


MARKETING = Ask(category=Category.MARKETING)


@pytest.mark.parametrize(
    ("contact", "ask", "more", "channel", "reason"),
    [
        (person(EMAIL), Ask(), {}, SMS, SkipReason.NO_ADDRESS),
        (
            ContactFacts(new_id(), addresses=Addresses.of(address(EMAIL, verified=False))),
            Ask(),
            {},
            EMAIL,
            SkipReason.UNVERIFIED,
        ),
        (
            ContactFacts(
                new_id(), addresses=Addresses.of(address(EMAIL, suppressed=frozenset({"email"})))
            ),
            Ask(),
            {},
            EMAIL,
            SkipReason.SUPPRESSED,
        ),
        (person(EMAIL), MARKETING, {}, EMAIL, SkipReason.NO_CONSENT),
        (
            person(EMAIL, consents=marketing(EMAIL, state="unsubscribed")),
            MARKETING,
            {},
            EMAIL,
            SkipReason.UNSUBSCRIBED,
        ),
        (
            person(EMAIL, SMS, preferences={Category.TRANSACTIONAL: (SMS,)}),
            Ask(),
            {},
            EMAIL,
            SkipReason.NOT_IN_PREFERENCE,
        ),
        (person(EMAIL, SMS), Ask(channels=(SMS,)), {}, EMAIL, SkipReason.NOT_REQUESTED),
        (person(EMAIL), Ask(), {"accounts": {}}, EMAIL, SkipReason.NO_ACCOUNT),
        (person(EMAIL), Ask(), {"variants": {SMS}}, EMAIL, SkipReason.NO_TEMPLATE),
        (person(SMS, consents=marketing(SMS)), MARKETING, {}, SMS, SkipReason.NOT_ALLOWED),
    ],
    ids=lambda value: value if isinstance(value, SkipReason) else "",
)
def test_each_channel_left_out_has_its_reason(
    contact: ContactFacts,
    ask: Ask,
    more: dict[str, Any],
    channel: Channel,
    reason: SkipReason,
) -> None:
    found = plan(contact, ask, **more)

    assert why(found, channel) is reason
    assert channel not in way(found)


def test_every_channel_is_either_a_step_or_left_out() -> None:
    found = plan(person(EMAIL, TELEGRAM))

    assert sorted([*way(found), *(s.channel for s in found.skipped)]) == sorted(Channel)


def test_of_several_reasons_the_first_one_is_told() -> None:
    """Everything speaks against SMS; mending one thing after the other shows the next."""
    blocked = frozenset({"sms"})
    situation: dict[str, Any] = {
        "shop": SHOP,
        "channels": (EMAIL,),
        "preferences": {Category.MARKETING: (EMAIL,)},
        "accounts": {},
        "variants": set(),
        "address": address(SMS, verified=False, suppressed=blocked),
        "consents": marketing(SMS, state="unsubscribed"),
    }
    mended: list[dict[str, Any]] = [
        {},
        {"shop": Shop(channels=ChannelOrder(marketing=(SMS,)))},
        {"channels": None},
        {"preferences": {}},
        {"accounts": ACCOUNTS},
        {"variants": {SMS}},
        {"address": address(SMS, suppressed=blocked)},
        {"address": address(SMS)},
        {"consents": {}},
        {"consents": marketing(SMS)},
    ]
    told = []
    for change in mended:
        situation |= change
        contact = ContactFacts(
            new_id(),
            preferences=situation["preferences"],
            consents=situation["consents"],
            addresses=Addresses.of(situation["address"]),
        )
        ask = Ask(category=Category.MARKETING, channels=situation["channels"])
        options = {name: situation[name] for name in ("accounts", "variants")}
        told.append(why(plan(contact, ask, situation["shop"], **options), SMS))

    assert told == [
        SkipReason.NOT_ALLOWED,
        SkipReason.NOT_REQUESTED,
        SkipReason.NOT_IN_PREFERENCE,
        SkipReason.NO_ACCOUNT,
        SkipReason.NO_TEMPLATE,
        SkipReason.UNVERIFIED,
        SkipReason.SUPPRESSED,
        SkipReason.UNSUBSCRIBED,
        SkipReason.NO_CONSENT,
        None,
    ]


@pytest.mark.parametrize(
    ("preferred", "requested", "expected"),
    [
        (None, None, [TELEGRAM, VK, PUSH, EMAIL, SMS]),
        (None, (SMS, TELEGRAM), [SMS, TELEGRAM]),
        ((EMAIL, VK), None, [EMAIL, VK]),
        ((EMAIL, VK, SMS), (SMS, VK), [VK, SMS]),
        ((), None, []),
        ((EMAIL,), (SMS,), []),
    ],
)
def test_the_person_orders_before_the_request_and_the_request_before_the_shop(
    preferred: tuple[Channel, ...] | None,
    requested: tuple[Channel, ...] | None,
    expected: list[Channel],
) -> None:
    preferences = {} if preferred is None else {Category.TRANSACTIONAL: preferred}
    contact = person(EMAIL, TELEGRAM, VK, SMS, preferences=preferences)
    token = AddressFacts(new_id(), "push", "t", provider="fcm")
    contact = replace(contact, addresses=Addresses.of(*contact.addresses, token))

    assert way(plan(contact, Ask(channels=requested))) == expected


def test_preferences_count_for_their_own_category_alone() -> None:
    contact = person(EMAIL, SMS, preferences={Category.MARKETING: ()})

    assert way(plan(contact)) == [EMAIL, SMS]


def test_consent_is_asked_for_marketing_alone_and_per_channel() -> None:
    contact = person(EMAIL, TELEGRAM, SMS, consents=marketing(EMAIL))

    assert way(plan(contact, MARKETING)) == [EMAIL]
    assert way(plan(contact)) == [TELEGRAM, EMAIL, SMS]
    assert way(plan(contact, Ask(category=Category.SECURITY))) == [SMS]


def test_a_suppression_holds_on_its_channel_and_not_on_another_of_the_same_phone() -> None:
    shop = Shop(channels=ChannelOrder(transactional=(SMS, Channel.VIBER)))
    phone = AddressFacts(new_id(), "phone", "+79990000001", suppressed=frozenset({"sms"}))
    accounts = {**ACCOUNTS, Channel.VIBER: [AccountFacts("devino", Tells.READ)]}

    found = plan(
        ContactFacts(new_id(), addresses=Addresses.of(phone)), shop=shop, accounts=accounts
    )

    assert way(found) == [Channel.VIBER]
    assert why(found, SMS) is SkipReason.SUPPRESSED


def devices(*providers: str, **more: Any) -> tuple[AddressFacts, ...]:
    return tuple(AddressFacts(new_id(), "push", p, provider=p, **more) for p in providers)


def test_each_push_device_is_a_target_of_the_one_step() -> None:
    held = devices("fcm", "webpush", "fcm")

    [step] = plan(ContactFacts(new_id(), addresses=Addresses.of(*held))).steps

    assert [t.address_id for t in step.targets] == [a.id for a in held]


def test_a_push_device_needs_an_account_of_its_own_provider() -> None:
    fcm, web = devices("fcm", "webpush")
    accounts = {PUSH: [AccountFacts("fcm", Tells.SENT)]}

    both = plan(ContactFacts(new_id(), addresses=Addresses.of(fcm, web)), accounts=accounts)
    web_alone = plan(ContactFacts(new_id(), addresses=Addresses.of(web)), accounts=accounts)
    sandbox = {PUSH: [AccountFacts("sandbox", Tells.SENT, any_address=True)]}

    assert [t.value for t in both.steps[0].targets] == ["fcm"]
    assert why(web_alone, PUSH) is SkipReason.NO_ACCOUNT
    assert way(plan(ContactFacts(new_id(), addresses=Addresses.of(web)), accounts=sandbox)) == [
        PUSH
    ]


def test_each_device_goes_by_the_account_of_its_own_provider_and_no_other() -> None:
    names = [name for channel, name in known() if channel == PUSH]
    held = devices(*names)

    for name in names:
        accounts = {PUSH: [AccountFacts(name, Tells.SENT)]}
        [step] = plan(
            ContactFacts(new_id(), addresses=Addresses.of(*held)), accounts=accounts
        ).steps
        assert [(t.value, t.provider) for t in step.targets] == [(name, name)]


def test_one_dead_device_leaves_the_others() -> None:
    dead = devices("fcm", suppressed=frozenset({"push"}))
    unproven = devices("fcm", verified=False)
    good = devices("fcm")

    [step] = plan(ContactFacts(new_id(), addresses=Addresses.of(*dead, *unproven, *good))).steps

    assert [t.address_id for t in step.targets] == [good[0].id]


BY_PHONE = AccountFacts("devino", Tells.DELIVERED)
BOT = AccountFacts("bot_api", Tells.READ, kinds=(Kind.VIBER,))
SANDBOX = AccountFacts("sandbox", Tells.SENT, any_address=True, kinds=(Kind.PHONE, Kind.VIBER))
VIBER = Shop(channels=ChannelOrder(transactional=(Channel.VIBER,)))
PHONE_ADDRESS = AddressFacts(new_id(), Kind.PHONE, "+79990000001")
VIBER_ADDRESS = AddressFacts(new_id(), Kind.VIBER, "01234567890A=")


@pytest.mark.parametrize(
    ("held", "accounts", "expected"),
    [
        ((PHONE_ADDRESS, VIBER_ADDRESS), [BY_PHONE, BOT], PHONE_ADDRESS),
        ((PHONE_ADDRESS, VIBER_ADDRESS), [BOT, BY_PHONE], VIBER_ADDRESS),
        ((PHONE_ADDRESS,), [BOT, BY_PHONE], PHONE_ADDRESS),
        ((VIBER_ADDRESS,), [BY_PHONE, BOT], VIBER_ADDRESS),
        ((VIBER_ADDRESS,), [BOT], VIBER_ADDRESS),
        ((VIBER_ADDRESS, PHONE_ADDRESS), [SANDBOX], PHONE_ADDRESS),
        ((VIBER_ADDRESS,), [SANDBOX], VIBER_ADDRESS),
        ((PHONE_ADDRESS,), [BOT], SkipReason.NO_ADDRESS),
        ((VIBER_ADDRESS,), [BY_PHONE], SkipReason.NO_ADDRESS),
        ((), [BOT, BY_PHONE], SkipReason.NO_ADDRESS),
        ((VIBER_ADDRESS,), [], SkipReason.NO_ACCOUNT),
        ((PHONE_ADDRESS,), [], SkipReason.NO_ACCOUNT),
    ],
)
def test_a_step_takes_addresses_of_the_kind_that_its_first_account_can_write_to(
    held: tuple[AddressFacts, ...],
    accounts: list[AccountFacts],
    expected: AddressFacts | SkipReason,
) -> None:
    contact = ContactFacts(new_id(), addresses=Addresses.of(*held))

    found = plan(contact, shop=VIBER, accounts={Channel.VIBER: accounts})

    if isinstance(expected, SkipReason):
        assert why(found, Channel.VIBER) is expected
    else:
        [step] = found.steps
        assert [t.address_id for t in step.targets] == [expected.id]


def test_a_step_hopes_for_what_the_accounts_of_its_address_can_tell() -> None:
    ask = Ask(strategy=Strategy.CASCADE, until=Tells.READ, wait=timedelta(minutes=10))
    both = {Channel.VIBER: [BY_PHONE, BOT]}

    phone = plan(
        ContactFacts(new_id(), addresses=Addresses.of(PHONE_ADDRESS)), ask, VIBER, accounts=both
    )
    bot = plan(
        ContactFacts(new_id(), addresses=Addresses.of(VIBER_ADDRESS)), ask, VIBER, accounts=both
    )

    assert (phone.steps[0].until, bot.steps[0].until) == (Tells.DELIVERED, Tells.READ)


def test_a_phone_serves_sms_viber_and_whatsapp() -> None:
    wide = Shop(channels=ChannelOrder(transactional=(SMS, Channel.VIBER, Channel.WHATSAPP)))
    accounts = {channel: [BY_PHONE] for channel in (SMS, Channel.VIBER, Channel.WHATSAPP)}

    found = plan(
        ContactFacts(new_id(), addresses=Addresses.of(PHONE_ADDRESS)), shop=wide, accounts=accounts
    )

    assert way(found) == [SMS, Channel.VIBER, Channel.WHATSAPP]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Tells.READ, {TELEGRAM: Tells.SENT, VK: Tells.READ, EMAIL: Tells.DELIVERED}),
        (Tells.DELIVERED, {TELEGRAM: Tells.SENT, VK: Tells.DELIVERED, EMAIL: Tells.DELIVERED}),
        (Tells.SENT, {TELEGRAM: Tells.SENT, VK: Tells.SENT, EMAIL: Tells.SENT}),
    ],
)
def test_a_cascade_asks_of_a_channel_what_it_can_tell(
    asked: Tells, expected: dict[Channel, Tells]
) -> None:
    ask = Ask(strategy=Strategy.CASCADE, until=asked, wait=timedelta(minutes=10))

    found = plan(person(EMAIL, TELEGRAM, VK), ask)

    assert {s.channel: s.until for s in found.steps} == expected
    assert {s.wait for s in found.steps} == {timedelta(minutes=10)}


@pytest.mark.parametrize("strategy", [Strategy.FIRST, Strategy.ALL])
def test_outside_a_cascade_nothing_is_waited_for(strategy: Strategy) -> None:
    found = plan(person(EMAIL, SMS), Ask(strategy=strategy))

    assert {(s.until, s.wait) for s in found.steps} == {(None, None)}


def quiet(start: str, end: str, *categories: Category) -> QuietHours:
    return QuietHours.model_validate({"from": start, "to": end, "categories": categories or None})


NIGHT = quiet("22:00", "09:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        ("Europe/Moscow", "2026-06-01T21:59:59+03:00", None),
        ("Europe/Moscow", "2026-06-01T22:00:00+03:00", "2026-06-02T09:00:00+03:00"),
        ("Europe/Moscow", "2026-06-02T08:59:59+03:00", "2026-06-02T09:00:00+03:00"),
        ("Europe/Moscow", "2026-06-02T09:00:00+03:00", None),
        ("Europe/Moscow", "2026-12-31T23:30:00+03:00", "2027-01-01T09:00:00+03:00"),
        # The person's own midnight, not the shop's.
        ("Asia/Novosibirsk", "2026-06-01T18:00:00+03:00", "2026-06-02T09:00:00+07:00"),
        ("Asia/Novosibirsk", "2026-06-02T05:30:00+03:00", None),
        ("Asia/Kathmandu", "2026-06-01T20:00:00+00:00", "2026-06-02T09:00:00+05:45"),
        # To summer time in the night: the morning stays at nine by the clock.
        ("Europe/Berlin", "2026-03-28T23:00:00+01:00", "2026-03-29T09:00:00+02:00"),
        ("Europe/Berlin", "2026-10-24T23:00:00+02:00", "2026-10-25T09:00:00+01:00"),
    ],
)
def test_quiet_hours_are_of_the_persons_own_clock(
    zone: str, now: str, expected: str | None
) -> None:
    contact = person(EMAIL, timezone=zone, quiet_hours=NIGHT)

    held = plan(contact, now=at(now)).held_until

    assert held == (at(expected) if expected else None)


@pytest.mark.parametrize("end", ["02:30", "03:00", "01:15"])
@pytest.mark.parametrize("noon", ["2026-03-28T12:00:00+01:00", "2026-10-24T12:00:00+02:00"])
def test_quiet_hours_always_end_later_even_where_clocks_change(noon: str, end: str) -> None:
    contact = person(EMAIL, timezone="Europe/Berlin", quiet_hours=quiet("22:00", end))
    for minutes in range(0, 26 * 60, 5):
        now = at(noon) + timedelta(minutes=minutes)

        held = quiet_until(Category.TRANSACTIONAL, contact, SHOP, at=now)

        assert held is None or now < held < now + timedelta(hours=12), now


def test_within_one_day_quiet_hours_end_the_same_day() -> None:
    contact = person(EMAIL, timezone="UTC", quiet_hours=quiet("12:30", "14:00"))

    assert plan(contact, now=at("2026-06-01T12:29:00+00:00")).held_until is None
    assert plan(contact, now=at("2026-06-01T13:00:00+00:00")).held_until == at(
        "2026-06-01T14:00:00+00:00"
    )


MIDNIGHT = at("2026-06-01T23:59:00+03:00")


@pytest.mark.parametrize(
    ("own", "shops", "category", "is_held"),
    [
        (None, NIGHT, Category.TRANSACTIONAL, True),
        (None, quiet("22:00", "09:00", Category.MARKETING), Category.TRANSACTIONAL, False),
        (None, quiet("22:00", "09:00", Category.MARKETING), Category.MARKETING, True),
        (NIGHT, None, Category.MARKETING, True),
        # The person's own win, wider or narrower.
        (quiet("01:00", "02:00"), NIGHT, Category.TRANSACTIONAL, False),
        (NIGHT, quiet("01:00", "02:00"), Category.TRANSACTIONAL, True),
        (quiet("22:00", "09:00", Category.MARKETING), NIGHT, Category.TRANSACTIONAL, False),
        # Never a code, whatever is named.
        (NIGHT, NIGHT, Category.SECURITY, False),
        (quiet("22:00", "09:00", Category.SECURITY), None, Category.SECURITY, False),
    ],
)
def test_whose_quiet_hours_hold_which_category(
    own: QuietHours | None, shops: QuietHours | None, category: Category, is_held: bool
) -> None:
    contact = person(EMAIL, SMS, quiet_hours=own, consents=marketing(EMAIL))

    found = plan(contact, Ask(category=category), Shop(quiet_hours=shops), now=MIDNIGHT)

    assert (found.held_until is not None) is is_held
    assert found.steps


def test_quiet_hours_count_at_the_time_of_sending() -> None:
    contact = person(EMAIL, timezone="Europe/Moscow", quiet_hours=NIGHT)
    into_the_night = Ask(send_at=at("2026-06-03T02:00:00+03:00"))
    into_the_day = Ask(send_at=at("2026-06-02T12:00:00+03:00"))

    assert plan(contact, into_the_night).held_until == at("2026-06-03T09:00:00+03:00")
    assert plan(contact, into_the_day, now=MIDNIGHT).held_until is None


def test_with_nobody_to_reach_nothing_is_held() -> None:
    found = plan(person(), now=MIDNIGHT, shop=Shop(quiet_hours=NIGHT))

    assert found.steps == ()
    assert found.held_until is None
    assert {s.reason for s in found.skipped} == {SkipReason.NO_ADDRESS}


def test_the_plan_is_the_same_for_the_same_facts() -> None:
    contact = person(EMAIL, TELEGRAM, VK, SMS)

    assert plan(contact) == plan(contact)
