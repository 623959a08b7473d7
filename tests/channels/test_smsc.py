"""SMSC.ru: calls, per-number answers, repeats, and the statuses it calls back with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    Heard,
    HookReply,
    HookRequest,
    Message,
    ReadsHooks,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Told,
)
from channels.http import ProviderHttp
from channels.sms.smsc import Smsc, SmscConfig
from tests.simulators.base import Fault
from tests.simulators.smsc import TOKEN, SmscSimulator, callback


def message(number: int = 1, **changes: Any) -> Message:
    known = Message(
        key=f"key-{number}",
        to=f"+7999{number:07}",
        text="Заказ №1001 принят",
        batch_key="batch-1",
    )
    return replace(known, **changes)


def settings(simulator: SmscSimulator, **changes: Any) -> SmscConfig:
    given = {"token": TOKEN, "base_url": simulator.url}
    return SmscConfig.model_validate(given | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[SmscSimulator]:
    async with SmscSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def smsc(simulator: SmscSimulator, http: ProviderHttp) -> Smsc:
    return Smsc(settings(simulator), http)


class TestCalls:
    async def test_carry_one_text_to_many_numbers(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        messages = [message(i) for i in range(3)]
        [call] = smsc.split(messages)

        outcomes = await smsc.send(call)

        [form] = simulator.calls
        assert form["phones"] == "+79990000000,+79990000001,+79990000002"
        assert form["mes"] == "Заказ №1001 принят"
        assert outcomes == [
            Accepted(f"{form['id']}:7999000000{i}", Decimal("3.5")) for i in range(3)
        ]

    def test_are_apart_by_text_number_and_hundreds(self, smsc: Smsc) -> None:
        messages = [
            *(message(i) for i in range(150)),
            message(1, key="again"),
            message(200, text="Другое"),
        ]

        assert sorted(len(call) for call in smsc.split(messages)) == [1, 51, 100]

    async def test_have_an_id_of_their_own_that_stays(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        await smsc.send([message(1), message(2)])
        await smsc.send([message(2), message(1)])
        await smsc.send([message(3)])

        first, again, other = (form["id"] for form in simulator.calls)
        assert first == again != other

    async def test_sign_in_with_a_password_where_there_is_no_key(
        self, simulator: SmscSimulator, http: ProviderHttp
    ) -> None:
        given = {"login": "shop", "password": simulator.password, "sender": "Romashka"}
        config = SmscConfig.model_validate(given | {"base_url": simulator.url})

        [outcome] = await Smsc(config, http).send([message()])

        assert isinstance(outcome, Accepted)
        assert simulator.calls[0]["sender"] == "Romashka"
        assert "apikey" not in simulator.calls[0]


class TestAnswers:
    @pytest.mark.parametrize(
        ("code", "scope"),
        [
            (1, Scope.MESSAGE),
            (2, Scope.ACCOUNT),
            (3, Scope.ACCOUNT),
            (5, Scope.MESSAGE),
            (6, Scope.MESSAGE),
            (7, Scope.RECIPIENT),
            (8, Scope.RECIPIENT),
            (99, Scope.MESSAGE),
        ],
    )
    async def test_with_an_error(
        self, smsc: Smsc, simulator: SmscSimulator, code: int, scope: Scope
    ) -> None:
        simulator.error = code

        [outcome] = await smsc.send([message()])

        assert outcome == Refused(scope, str(code), "said by the test")

    async def test_that_the_address_is_blocked_are_waited_out(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.error = 4

        [outcome] = await smsc.send([message()])

        assert outcome == Retry("smsc-4-ip-blocked", timedelta(minutes=5))

    async def test_are_read_per_number(self, smsc: Smsc, simulator: SmscSimulator) -> None:
        simulator.errors = {"+79990000001": 7, "+79990000002": 6}

        good, wrong, forbidden = await smsc.send([message(0), message(1), message(2)])

        assert isinstance(good, Accepted)
        assert isinstance(wrong, Refused)
        assert isinstance(forbidden, Refused)
        assert (wrong.scope, wrong.suppress) == (Scope.RECIPIENT, True)
        assert forbidden.scope is Scope.MESSAGE

    async def test_too_often_for_one_number_holds_up_no_other(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.errors = {"+79990000001": 9}

        good, again = await smsc.send([message(0), message(1)])

        assert isinstance(good, Accepted)
        assert again == Retry("throttled", timedelta(seconds=60), throttled=True, alone=True)

    async def test_about_some_number_of_many_suppress_none(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.error = 7

        outcomes = await smsc.send([message(1), message(2)])

        assert outcomes == [Refused(Scope.RECIPIENT, "7", "said by the test", suppress=False)] * 2

    async def test_without_a_list_are_clear_for_one_number_only(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.unlisted = True

        [one] = await smsc.send([message(1)])
        several = await smsc.send([message(2), message(3)])

        assert isinstance(one, Accepted)
        assert one.cost == Decimal("3.5")
        assert several == [Retry("number-not-listed", maybe_sent=True)] * 2

    async def test_to_somebody_elses_call_are_nobodys(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        body = '{"id": 15, "cnt": 1, "phones": [{"phone": "79990000001", "cost": "3.5"}]}'
        simulator.faults.append(Fault(status=200, body=body, content_type="application/json"))

        [outcome] = await smsc.send([message()])

        assert outcome == Retry("http-200-unreadable", maybe_sent=True)


class TestRepeats:
    async def test_of_a_call_that_went_through_are_accepted(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.faults.append(Fault(status=502, after_taking=True))
        call = [message(1), message(2)]

        lost = await smsc.send(call)
        found = await smsc.send(call)

        assert all(isinstance(outcome, Retry) and outcome.maybe_sent for outcome in lost)
        assert found == [Accepted(sent.provider_id) for sent in simulator.sent]
        assert len(simulator.sent) == 2

    async def test_are_recognised_by_another_process(
        self, smsc: Smsc, simulator: SmscSimulator, http: ProviderHttp
    ) -> None:
        await smsc.send([message()])

        [outcome] = await Smsc(settings(simulator), http).send([message()])

        assert outcome == Accepted(simulator.sent[0].provider_id)

    async def test_that_are_none_wait_for_their_turn(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        simulator.crowded = True

        [outcome] = await smsc.send([message()])

        assert outcome == Retry(
            "throttled", timedelta(seconds=60), throttled=True, perhaps_alone=True
        )

    async def test_that_nobody_can_tell_may_have_been_sent(
        self, smsc: Smsc, simulator: SmscSimulator
    ) -> None:
        await smsc.send([message()])
        simulator.deaf = True

        [outcome] = await smsc.send([message()])

        assert isinstance(outcome, Retry)
        assert outcome.maybe_sent
        assert outcome.after == timedelta(seconds=60)


# Computed for this project with the documented formula.
SIGNED = {
    "id": "15",
    "phone": "79991234567",
    "status": "1",
    "md5": "8d19b86e63fa35baf795be4d1836bfa9",
}


def get(form: dict[str, str], headers: dict[str, str] | None = None) -> HookRequest:
    return HookRequest("GET", headers or {}, form, b"")


def post(body: bytes) -> HookRequest:
    return HookRequest("POST", {}, {}, body)


@pytest.fixture
def guarded(simulator: SmscSimulator, http: ProviderHttp) -> Smsc:
    return Smsc(settings(simulator, callback_secret="secret"), http)


class TestReceipts:
    async def test_name_the_message(self, smsc: Smsc) -> None:
        form = SIGNED | {"time": "01.11.2026 13:00:00", "ts": "1793527200", "cost": "2.45"}

        told = smsc.read_hook(post(urlencode(form).encode()))

        assert told.receipts == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id="15:79991234567",
                code="1",
                at=datetime(2026, 11, 1, 10, tzinfo=UTC),
                cost=Decimal("2.45"),
            )
        ]
        assert told.reply == HookReply("OK")
        assert isinstance(smsc, ReadsHooks)

    async def test_name_what_was_accepted(self, smsc: Smsc, simulator: SmscSimulator) -> None:
        [outcome] = await smsc.send([message()])
        id_, _, phone = simulator.sent[0].provider_id.partition(":")

        [receipt] = smsc.read_hook(get({"id": id_, "phone": phone, "status": "0"})).receipts

        assert isinstance(outcome, Accepted)
        assert receipt.provider_id == outcome.provider_id

    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            ("-2", "", ReceiptStatus.FAILED),
            ("-1", "0", ReceiptStatus.SENT),
            ("0", "0", ReceiptStatus.SENT),
            ("1", "0", ReceiptStatus.DELIVERED),
            ("2", "0", ReceiptStatus.READ),
            ("4", "0", ReceiptStatus.CLICKED),
            ("3", "6", ReceiptStatus.FAILED),
            ("20", "1", ReceiptStatus.BOUNCED),
            ("20", "254", ReceiptStatus.FAILED),
            ("20", "777", ReceiptStatus.FAILED),
            ("22", "", ReceiptStatus.BOUNCED),
            ("23", "252", ReceiptStatus.FAILED),
            ("24", "", ReceiptStatus.FAILED),
            ("25", "6", ReceiptStatus.FAILED),
        ],
    )
    def test_say_what_became_of_it(
        self, smsc: Smsc, status: str, error: str, expected: ReceiptStatus
    ) -> None:
        form = {"id": "15", "phone": "79991234567", "status": status, "err": error}

        [receipt] = smsc.read_hook(get(form)).receipts

        assert receipt.status is expected
        assert receipt.code.startswith(status)

    @pytest.mark.parametrize("status", ["-3", "100", "", "x"])
    def test_of_unknown_words_are_passed_over(self, smsc: Smsc, status: str) -> None:
        told = smsc.read_hook(get({"id": "1", "phone": "7", "status": status}))

        assert (told.receipts, told.reply.body) == ([], "OK")

    def test_letters_from_people_are_heard(self, guarded: Smsc) -> None:
        form = {"id": "8", "phone": "79991234567", "mes": "СТОП", "to": "79990000000"}

        assert guarded.read_hook(post(urlencode(form).encode())) == Told(
            heard=[Heard("+79991234567", "СТОП", "8")], reply=HookReply("OK")
        )

    def test_url_is_there_when_it_is_tried(self, guarded: Smsc) -> None:
        assert guarded.read_hook(get({})) == Told(reply=HookReply("OK"))

    @pytest.mark.parametrize(
        ("form", "headers"),
        [
            (SIGNED, {}),
            ({**SIGNED, "md5": SIGNED["md5"].upper()}, {}),
            ({**SIGNED, "md5": ""}, {"x-smsc-md5": SIGNED["md5"]}),
        ],
    )
    def test_with_a_signature_are_believed(
        self, guarded: Smsc, form: dict[str, str], headers: dict[str, str]
    ) -> None:
        receipts = guarded.read_hook(get(form, headers)).receipts

        assert len(receipts) == 1

    def test_with_sha1_are_believed(self, guarded: Smsc) -> None:
        form = {"id": "15", "phone": "79991234567", "status": "1"}

        receipts = guarded.read_hook(post(callback(form, "secret", "sha1"))).receipts

        assert len(receipts) == 1

    @pytest.mark.parametrize(
        ("form", "headers"),
        [
            ({**SIGNED, "md5": ""}, {}),
            ({**SIGNED, "status": "2"}, {}),
            ({**SIGNED, "md5": "ы"}, {}),
            ({**SIGNED, "sha1": "0" * 40}, {}),
            (SIGNED, {"x-smsc-sha1": "0" * 40}),
        ],
    )
    def test_without_a_right_signature_are_forged(
        self, guarded: Smsc, form: dict[str, str], headers: dict[str, str]
    ) -> None:
        with pytest.raises(BadHook) as bad:
            guarded.read_hook(get(form, headers))

        assert bad.value.forged

    @pytest.mark.parametrize(
        "body", [b"id=1", b"{}=", "&".join(f"a{i}=" for i in range(999)).encode()]
    )
    def test_that_are_none_are_bad(self, smsc: Smsc, body: bytes) -> None:
        with pytest.raises(BadHook) as bad:
            smsc.read_hook(post(body))

        assert not bad.value.forged


class TestSettings:
    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"token": ""},
            {"login": "shop"},
            {"password": "hush"},
            {"token": "hush", "login": "shop", "password": "hush"},
            {"token": "hush", "sender": "much-too-long-a-name"},
            {"token": "hush", "base_url": "smsc.ru"},
        ],
    )
    def test_need_one_way_in(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as wrong:
            SmscConfig.model_validate(given)

        assert "hush" not in str(wrong.value)
