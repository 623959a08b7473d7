"""Unisender's SMS: many numbers a call, the word on each, prices, statuses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Unavailable,
)
from channels.http import ProviderHttp
from channels.sms.unisender import UnisenderSms, UnisenderSmsConfig
from tests.simulators.base import Fault
from tests.simulators.unisender import TOKEN, UnisenderSimulator

MINUTE = timedelta(minutes=1)


def message(number: int = 1, **changes: Any) -> Message:
    known = Message(key=f"key-{number}", to=f"+7999{number:07}", text="Заказ принят")
    return replace(known, **changes)


def settings(base_url: str, **changes: Any) -> UnisenderSmsConfig:
    given = {"token": TOKEN, "sender": "Romashka", "base_url": base_url}
    return UnisenderSmsConfig.model_validate(given | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[UnisenderSimulator]:
    async with UnisenderSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp(timeout=timedelta(seconds=1))
    yield http
    await http.close()


@pytest.fixture
def unisender(simulator: UnisenderSimulator, http: ProviderHttp) -> UnisenderSms:
    return UnisenderSms(settings(simulator.base_url), http)


class TestCalls:
    async def test_carry_one_text_to_many_and_tell_the_price_of_each(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        call = [message(1), message(2)]

        outcomes = await unisender.send(call)

        [form] = simulator.calls
        assert (form["phone"], form["sender"]) == ("79990000001,79990000002", "Romashka")
        assert outcomes == [
            Accepted("2376678.79990000001", Decimal("3.56")),
            Accepted("2376679.79990000002", Decimal("3.56")),
        ]

    async def test_to_one_number_are_answered_otherwise(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        assert await unisender.send([message(1)]) == [
            Accepted("2376678.79990000001", Decimal("3.56"))
        ]
        assert "phone" in simulator.calls[0]

    def test_hold_150_numbers_and_a_number_once(self, unisender: UnisenderSms) -> None:
        messages = [*(message(i) for i in range(200)), message(1, key="again")]

        assert [len(call) for call in unisender.split(messages)] == [150, 51]

    def test_do_not_mix_texts(self, unisender: UnisenderSms) -> None:
        calls = unisender.split([message(1), message(2, text="Другой"), message(3)])

        assert [[m.key for m in call] for call in calls] == [["key-1", "key-3"], ["key-2"]]

    async def test_are_not_made_with_a_text_too_long(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        [outcome] = await unisender.send([message(text="я" * 1001)])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "text-too-long")
        assert simulator.requests == 0

    @pytest.mark.parametrize("price", ["free", None, "NaN"])
    async def test_may_come_without_a_price(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator, price: str | None
    ) -> None:
        told = f'"price": "{price}", ' if price else ""
        simulator.fault = Fault(status=200, body=f'{{"result": {{{told}"sms_id": 3123}}}}')

        assert await unisender.send([message()]) == [Accepted("3123")]


class TestCodes:
    async def test_of_a_number_are_of_that_number(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        simulator.failed = {
            "79990000002": "dest_invalid",
            "79990000003": "unsubscribed_globally",
            "79990000004": "has_been_sent",
        }

        outcomes = await unisender.send([message(i) for i in range(1, 5)])

        assert outcomes == [
            Accepted("2376678.79990000001", Decimal("3.56")),
            Refused(Scope.RECIPIENT, "dest_invalid", "dest_invalid: (address)"),
            Refused(
                Scope.RECIPIENT,
                "unsubscribed_globally",
                "unsubscribed_globally: (address)",
                suppress=False,
            ),
            Retry("has_been_sent", MINUTE, throttled=True, alone=True),
        ]

    async def test_of_a_whole_call_suppress_nobody(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        simulator.error = "dest_invalid"

        several = await unisender.send([message(1), message(2)])
        [alone] = await unisender.send([message(1)])

        assert [isinstance(o, Refused) and o.suppress for o in several] == [False, False]
        assert isinstance(alone, Refused)
        assert alone.suppress

    @pytest.mark.parametrize(
        ("text", "scope"),
        [
            ("alphaname is not registered", Scope.ACCOUNT),
            ("wrong 'sender'", Scope.ACCOUNT),
            ("wrong 'phone'", Scope.RECIPIENT),
            ("wrong 'text'", Scope.MESSAGE),
        ],
    )
    async def test_of_a_wrong_argument_mean_the_sender_unless_they_name_another(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator, text: str, scope: Scope
    ) -> None:
        simulator.fault = Fault(status=200, body=f'{{"error": "{text}", "code": "invalid_arg"}}')

        [outcome] = await unisender.send([message()])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.suppress) == (scope, False)


async def test_a_repeat_of_an_unanswered_call_had_arrived(
    unisender: UnisenderSms, simulator: UnisenderSimulator
) -> None:
    simulator.faults.append(Fault(close=True, after_taking=True))
    call = [message(1), message(2)]

    first = await unisender.send(call)
    again = await unisender.send(call)

    assert all(isinstance(outcome, Retry) and outcome.maybe_sent for outcome in first)
    assert again == [Accepted(), Accepted()]
    assert len(simulator.sent) == 2


def asked(*ids: str) -> list[Sent]:
    return [Sent(f"key-{i}", i, "+79990000001", datetime.now(UTC)) for i in ids]


class TestAsked:
    @pytest.mark.parametrize(
        ("status", "told"),
        [
            ("not_sent", None),
            ("ok_sent", None),
            ("ok_something_new", None),
            ("ok_delivered", ReceiptStatus.DELIVERED),
            ("err_dest_invalid", ReceiptStatus.BOUNCED),
            ("err_src_invalid", ReceiptStatus.FAILED),
            ("err_skip_letter", ReceiptStatus.FAILED),
            ("err_not_allowed", ReceiptStatus.FAILED),
            ("err_delivery_failed", ReceiptStatus.FAILED),
            ("err_lost", ReceiptStatus.LOST),
            ("err_internal", ReceiptStatus.LOST),
            ("err_something_new", ReceiptStatus.FAILED),
        ],
    )
    async def test_it_knows_every_status(
        self,
        unisender: UnisenderSms,
        simulator: UnisenderSimulator,
        status: str,
        told: ReceiptStatus | None,
    ) -> None:
        simulator.statuses["3123"] = status

        receipts = await unisender.ask(asked("3123"))

        code = status if status.startswith("err_") else ""
        assert receipts == ([Receipt(told, "3123", "key-3123", code=code)] if told else [])

    async def test_what_it_does_not_know_hides_nothing_of_the_others(
        self, unisender: UnisenderSms, simulator: UnisenderSimulator
    ) -> None:
        simulator.statuses = {"1": "ok_delivered"}

        receipts = await unisender.ask(asked("404", "1", ""))

        assert [receipt.key for receipt in receipts] == ["key-1"]

    async def test_nothing_known_is_nothing_learned(self, unisender: UnisenderSms) -> None:
        with pytest.raises(Unavailable, match="invalid sms id"):
            await unisender.ask(asked("404", "405"))

    async def test_of_none_it_tells_nothing(self, unisender: UnisenderSms) -> None:
        assert await unisender.ask(asked("")) == []


async def test_a_check_says_whose_key_it_is(unisender: UnisenderSms) -> None:
    check = await unisender.check()

    assert check.ok
    assert check.text == "Unisender answers for romashka, balance 120.40 RUB"


@pytest.mark.parametrize("sender", ["", "Ro", "Romashka-2026", "12345", "Ромашка", "Ro\nmashka"])
def test_a_sender_must_be_a_name(sender: str) -> None:
    with pytest.raises(ValidationError, match="3 to 11 Latin letters"):
        settings("https://api.unisender.com/ru/api", sender=sender)
