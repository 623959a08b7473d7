"""SendPulse's services for many at once: campaigns of SMS and Viber, and of web push."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    Button,
    Category,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Scope,
    Sent,
    Unavailable,
)
from channels.http import ProviderHttp
from channels.push.sendpulse import SendpulsePush, SendpulsePushConfig
from channels.sms.sendpulse import SendpulseSms, SendpulseSmsConfig
from channels.viber.sendpulse import SendpulseViber, SendpulseViberConfig
from tests.simulators.base import Fault
from tests.simulators.sendpulse import KEY
from tests.simulators.sendpulse_tasks import (
    SMS_SENDER,
    VIBER_SENDER,
    WEBSITE,
    SendpulseTasksSimulator,
)

BUTTON = Button("Открыть", url="https://shop.example/o/1001")
LEFT_OUT = Refused(Scope.RECIPIENT, "exception", "SendPulse leaves this number out", suppress=False)


def message(number: int = 1, **changes: Any) -> Message:
    known = Message(
        key=f"key-{number}",
        to=f"+7999{number:07}",
        subject="Ромашка",
        text="Заказ №1001 принят",
        batch_key="batch-1",
    )
    return replace(known, **changes)


def soon(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def sent(messages: list[Message], outcomes: list[Outcome]) -> list[Sent]:
    return [
        Sent(m.key, o.provider_id, m.to, datetime.now(UTC))
        for m, o in zip(messages, outcomes, strict=True)
        if isinstance(o, Accepted)
    ]


@pytest.fixture
async def simulator() -> AsyncIterator[SendpulseTasksSimulator]:
    async with SendpulseTasksSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


def make_sms(simulator: SendpulseTasksSimulator, http: ProviderHttp, **more: Any) -> SendpulseSms:
    given = {"token": KEY, "sender": SMS_SENDER, "base_url": simulator.url}
    return SendpulseSms(SendpulseSmsConfig.model_validate(given | more), http)


def make_viber(
    simulator: SendpulseTasksSimulator, http: ProviderHttp, **more: Any
) -> SendpulseViber:
    given = {"token": KEY, "sender_id": VIBER_SENDER, "base_url": simulator.url}
    return SendpulseViber(SendpulseViberConfig.model_validate(given | more), http)


def make_push(simulator: SendpulseTasksSimulator, http: ProviderHttp, **more: Any) -> SendpulsePush:
    given = {"token": KEY, "website_id": WEBSITE, "base_url": simulator.url}
    return SendpulsePush(SendpulsePushConfig.model_validate(given | more), http)


@pytest.fixture
def sms(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> SendpulseSms:
    return make_sms(simulator, http)


@pytest.fixture
def viber(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> SendpulseViber:
    return make_viber(simulator, http)


@pytest.fixture
def push(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> SendpulsePush:
    return make_push(simulator, http)


class TestSmsCalls:
    async def test_carry_one_text_to_many_numbers(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        [call] = sms.split([message(i) for i in range(3)])

        outcomes = await sms.send(call)

        phones = ["79990000000", "79990000001", "79990000002"]
        assert simulator.calls == [
            {"sender": SMS_SENDER, "phones": phones, "body": "Заказ №1001 принят"}
        ]
        assert outcomes == [Accepted(s.provider_id) for s in simulator.sent]

    def test_are_apart_by_text_number_and_hundreds(self, sms: SendpulseSms) -> None:
        messages = [
            *(message(i) for i in range(150)),
            message(1, key="again"),
            message(200, text="Другое"),
        ]

        assert sorted(len(call) for call in sms.split(messages)) == [1, 51, 100]

    async def test_may_name_a_route_and_be_tried_out_only(
        self, simulator: SendpulseTasksSimulator, http: ProviderHttp
    ) -> None:
        trial = make_sms(simulator, http, route={"RU": "national"}, test=True)

        [outcome] = await trial.send([message()])

        assert isinstance(outcome, Accepted)
        assert simulator.calls[0]["route"] == {"RU": "national"}
        assert simulator.calls[0]["emulate"] == 1
        assert not simulator.sent

    async def test_that_are_tried_out_may_have_no_number(
        self, simulator: SendpulseTasksSimulator, http: ProviderHttp
    ) -> None:
        body = '{"result": true, "counters": {"sends": 1, "exceptions": 0}}'
        simulator.faults.append(Fault(status=200, body=body, content_type="application/json"))

        assert await make_sms(simulator, http, test=True).send([message()]) == [Accepted()]

    async def test_find_out_which_numbers_were_left_out(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        simulator.left_out = {"+79990000001"}

        first, second, third = await sms.send([message(0), message(1), message(2)])

        assert [type(outcome) for outcome in (first, third)] == [Accepted, Accepted]
        assert second == LEFT_OUT

    async def test_believe_in_all_numbers_while_their_list_is_not_there(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        simulator.left_out, simulator.unlisted = {"+79990000001"}, True

        outcomes = await sms.send([message(0), message(1)])

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)

    async def test_with_no_number_left_are_no_calls(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        simulator.left_out = {"+79990000000", "+79990000001"}

        assert await sms.send([message(0), message(1)]) == [LEFT_OUT, LEFT_OUT]
        assert isinstance((await sms.send([message(to="+7")]))[0], Refused)
        assert len(simulator.calls) == 1


class TestSmsReceipts:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [(1, ReceiptStatus.SENT), ("2", ReceiptStatus.DELIVERED), (12, ReceiptStatus.FAILED)],
    )
    async def test_tell_the_end_and_the_price(
        self,
        sms: SendpulseSms,
        simulator: SendpulseTasksSimulator,
        status: Any,
        expected: ReceiptStatus,
    ) -> None:
        messages = [message(1), message(2)]
        waiting = sent(messages, await sms.send(messages))
        told = {"status": status, "status_explain": "said by the test", "money_spent": "2.45"}
        simulator.states[waiting[1].provider_id] = told

        assert await sms.ask(waiting) == [
            Receipt(
                expected,
                provider_id=waiting[1].provider_id,
                code=str(status),
                text="said by the test",
                cost=Decimal("2.45"),
            )
        ]

    async def test_are_asked_for_once_a_campaign(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        messages = [message(i) for i in range(10)]
        waiting = sent(messages, await sms.send(messages))
        before = simulator.requests

        await sms.ask(waiting)

        assert simulator.requests == before + 1

    async def test_of_other_campaigns_come_although_one_is_gone(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        waiting = sent([message()], await sms.send([message()]))
        simulator.states[waiting[0].provider_id] = {"status": 2}
        gone = replace(waiting[0], provider_id="77:79990000001")
        odd = replace(waiting[0], provider_id="../balance:1")

        receipts = await sms.ask([gone, odd, *waiting])

        assert [receipt.status for receipt in receipts] == [ReceiptStatus.DELIVERED]
        assert await sms.ask([odd]) == []
        with pytest.raises(Unavailable, match="802"):
            await sms.ask([gone])

    async def test_learned_before_the_service_went_away_are_kept(
        self, sms: SendpulseSms, simulator: SendpulseTasksSimulator
    ) -> None:
        messages = [message(1), message(2, text="Другое")]
        waiting = sent(messages[:1], await sms.send(messages[:1]))
        waiting += sent(messages[1:], await sms.send(messages[1:]))
        simulator.states = {s.provider_id: {"status": 2} for s in waiting}
        simulator.broken = {waiting[1].provider_id.partition(":")[0]}

        receipts = await sms.ask(waiting)

        assert [receipt.provider_id for receipt in receipts] == [waiting[0].provider_id]
        with pytest.raises(Unavailable):
            await sms.ask(waiting[1:])


class TestSmsCheck:
    async def test_knows_the_sender(self, sms: SendpulseSms) -> None:
        check = await sms.check()

        assert check.ok
        assert SMS_SENDER in check.text

    @pytest.mark.parametrize(
        ("name", "why"), [("Slow", "On moderation"), ("Nobody", "no such sender name")]
    )
    async def test_says_what_is_wrong_with_another(
        self, simulator: SendpulseTasksSimulator, http: ProviderHttp, name: str, why: str
    ) -> None:
        check = await make_sms(simulator, http, sender=name).check()

        assert not check.ok
        assert why in check.text


class TestViberCalls:
    async def test_carry_one_text_to_many_numbers(
        self, viber: SendpulseViber, simulator: SendpulseTasksSimulator
    ) -> None:
        [call] = viber.split([message(i) for i in range(1000)])

        outcomes = await viber.send(call)

        [task] = simulator.calls
        assert task["recipients"][:2] == [79990000000, 79990000001]
        assert (task["message_type"], task["message_live_time"]) == (3, 86_400)
        assert outcomes == [Accepted(s.provider_id) for s in simulator.sent]

    def test_are_apart_by_what_viber_shows(self, viber: SendpulseViber) -> None:
        promo = {"category": Category.MARKETING}
        until = datetime(2026, 11, 1, 10, 30, 5, tzinfo=UTC)
        messages = [
            *(message(i) for i in range(1001)),
            message(2000, text="Другое"),
            message(2001, **promo),
            message(2002, **promo, buttons=((BUTTON,),)),
            message(2003, expires_at=until),
            message(2004, expires_at=until + timedelta(seconds=50)),
            message(2005, expires_at=until + timedelta(minutes=50)),
        ]

        assert [len(call) for call in viber.split(messages)] == [1000, 1, 1, 1, 1, 2, 1]

    async def test_have_a_button_and_a_picture_in_promo_only(
        self, simulator: SendpulseTasksSimulator, http: ProviderHttp
    ) -> None:
        viber = make_viber(simulator, http, image="https://shop.example/logo.png")
        back = Button("Есть", data="yes")
        rich = message(category=Category.MARKETING, buttons=((back, BUTTON),))

        await viber.send([rich])
        await viber.send([replace(rich, data={"image": "https://shop.example/rose.png"})])
        await viber.send([replace(rich, buttons=())])
        await viber.send([replace(rich, category=Category.TRANSACTIONAL)])

        shown = [(task["message_type"], task.get("additional")) for task in simulator.calls]
        button = {"text": "Открыть", "link": "https://shop.example/o/1001"}
        assert shown == [
            (2, {"button": button, "image": {"link": "https://shop.example/logo.png"}}),
            (2, {"button": button, "image": {"link": "https://shop.example/rose.png"}}),
            (2, None),
            (3, None),
        ]

    @pytest.mark.parametrize(("setting", "number"), [("promo", 2), ("transactional", 3)])
    async def test_are_of_the_kind_that_is_set(
        self,
        simulator: SendpulseTasksSimulator,
        http: ProviderHttp,
        setting: str,
        number: int,
    ) -> None:
        viber = make_viber(simulator, http, message_type=setting)

        for category in Category:
            await viber.send([message(category=category)])

        assert {task["message_type"] for task in simulator.calls} == {number}

    @pytest.mark.parametrize(
        ("until", "least", "most"),
        [(None, 7200, 7200), (600, 590, 600), (-5, 60, 60), (200_000, 86_400, 86_400)],
    )
    async def test_live_as_long_as_they_are_worth(
        self,
        simulator: SendpulseTasksSimulator,
        http: ProviderHttp,
        until: int | None,
        least: int,
        most: int,
    ) -> None:
        viber = make_viber(simulator, http, live_time="2h")

        await viber.send([message(expires_at=None if until is None else soon(until))])

        assert least <= simulator.calls[0]["message_live_time"] <= most


class TestViberReceipts:
    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("send", ReceiptStatus.SENT),
            ("delivered", ReceiptStatus.DELIVERED),
            ("Read", ReceiptStatus.READ),
            ("redirected", ReceiptStatus.CLICKED),
            ("undelivered", ReceiptStatus.FAILED),
            ("not delivered", ReceiptStatus.FAILED),
            ("errors", ReceiptStatus.FAILED),
            ("SRVC_NOT_VIBER_USER", ReceiptStatus.BOUNCED),
            ("SRVC_TIMEOUT", ReceiptStatus.FAILED),
        ],
    )
    async def test_tell_the_end_and_the_price(
        self,
        viber: SendpulseViber,
        simulator: SendpulseTasksSimulator,
        word: str,
        status: ReceiptStatus,
    ) -> None:
        waiting = sent([message()], await viber.send([message()]))
        simulator.states[waiting[0].provider_id] = {"status": word}

        [receipt] = await viber.ask(waiting)

        assert (receipt.status, receipt.cost) == (status, Decimal("0.74"))
        assert receipt.provider_id == waiting[0].provider_id

    @pytest.mark.parametrize("word", ["moderation", "", None])
    async def test_of_unknown_words_are_none(
        self, viber: SendpulseViber, simulator: SendpulseTasksSimulator, word: str | None
    ) -> None:
        waiting = sent([message()], await viber.send([message()]))
        simulator.states[waiting[0].provider_id] = {"status": word, "price": None}

        assert await viber.ask(waiting) == []


class TestViberCheck:
    async def test_knows_the_sender(self, viber: SendpulseViber) -> None:
        assert (await viber.check()).ok

    @pytest.mark.parametrize(("number", "why"), [(2, "it is pending"), (3, "no sender 3")])
    async def test_says_what_is_wrong_with_another(
        self, simulator: SendpulseTasksSimulator, http: ProviderHttp, number: int, why: str
    ) -> None:
        check = await make_viber(simulator, http, sender_id=number).check()

        assert not check.ok
        assert why in check.text


class TestPush:
    async def test_is_for_those_with_one_value_of_the_variable(
        self, push: SendpulsePush, simulator: SendpulseTasksSimulator
    ) -> None:
        rich = message(to="v-1", buttons=((BUTTON, Button("Есть", data="yes")),))

        await push.send([rich])

        [task] = simulator.calls
        assert json.loads(task.pop("buttons")) == [
            {"text": "Открыть", "link": "https://shop.example/o/1001"}
        ]
        assert task == {
            "website_id": WEBSITE,
            "title": "Ромашка",
            "body": "Заказ №1001 принят",
            "ttl": 86_400,
            "stretch_time": 10,
            "filter": {
                "variable_name": "vestnik",
                "operator": "and",
                "conditions": [{"condition": "equal", "value": "v-1"}],
            },
            "link": "https://shop.example/o/1001",
        }

    @pytest.mark.parametrize(("until", "least", "most"), [(600, 590, 600), (-5, 1, 1)])
    async def test_lives_as_long_as_it_is_worth(
        self,
        push: SendpulsePush,
        simulator: SendpulseTasksSimulator,
        until: int,
        least: int,
        most: int,
    ) -> None:
        await push.send([message(to="v-1", subject="", expires_at=soon(until))])

        assert least <= simulator.calls[0]["ttl"] <= most
        assert simulator.calls[0]["title"] == "Заказ №1001 принят"

    async def test_is_never_for_everybody_who_has_no_value(
        self, push: SendpulsePush, simulator: SendpulseTasksSimulator
    ) -> None:
        outcomes = await push.send([message(to=""), message(to=" \n")])

        assert all(isinstance(outcome, Refused) for outcome in outcomes)
        assert not simulator.requests

    @pytest.mark.parametrize(
        ("counters", "status"),
        [
            ({}, None),
            ({"send": "1"}, ReceiptStatus.SENT),
            ({"send": "2", "delivered": 1}, ReceiptStatus.DELIVERED),
            ({"send": "1", "delivered": 1, "redirect": 1}, ReceiptStatus.CLICKED),
        ],
    )
    async def test_is_told_of_by_counters(
        self,
        push: SendpulsePush,
        simulator: SendpulseTasksSimulator,
        counters: dict[str, Any],
        status: ReceiptStatus | None,
    ) -> None:
        waiting = sent([message(to="v-1")], await push.send([message(to="v-1")]))
        simulator.states[waiting[0].provider_id] = counters

        receipts = await push.ask(waiting)

        assert [receipt.status for receipt in receipts] == ([status] if status else [])

    async def test_is_checked_by_website_and_variable(
        self, push: SendpulsePush, simulator: SendpulseTasksSimulator, http: ProviderHttp
    ) -> None:
        well = await push.check()
        strange = await make_push(simulator, http, website_id=9).check()
        simulator.variables = ["uname"]
        nameless = await push.check()
        simulator.site_status = "blocked"
        blocked = await push.check()

        assert (well.ok, well.text) == (True, "SendPulse answers for website 53 (shop.example)")
        assert (strange.ok, nameless.ok, blocked.ok) == (False, False, False)
        assert "Website not found" in strange.text
        assert "'vestnik'" in nameless.text
        assert "blocked" in blocked.text


class TestSettings:
    @pytest.mark.parametrize(
        "given",
        [
            {"sender": ""},
            {"sender": "much-too-long"},
            {"sender": "Romashka", "route": {"Russia": "national"}},
        ],
    )
    def test_of_sms_are_held_to_their_limits(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            SendpulseSmsConfig.model_validate({"token": "hush"} | given)

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"sender_id": 0},
            {"sender_id": 1, "message_type": "spam"},
            {"sender_id": 1, "live_time": 59},
            {"sender_id": 1, "live_time": 86_401},
            {"sender_id": 1, "image": "logo.png"},
        ],
    )
    def test_of_viber_are_held_to_their_limits(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            SendpulseViberConfig.model_validate({"token": "hush"} | given)

    @pytest.mark.parametrize("given", [{}, {"website_id": 0}, {"website_id": 1, "variable": ""}])
    def test_of_push_are_held_to_their_limits(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            SendpulsePushConfig.model_validate({"token": "hush"} | given)
