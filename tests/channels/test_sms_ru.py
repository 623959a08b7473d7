"""SMS.ru: calls, per-number answers, repeats, and the statuses it calls back with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    HookReply,
    HookRequest,
    Message,
    ReadsHooks,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
)
from channels.http import ProviderHttp
from channels.sms.sms_ru import SmsRu, SmsRuConfig
from tests.simulators.base import Fault
from tests.simulators.sms_ru import TOKEN, SmsRuSimulator, callback


def message(number: int = 1, **changes: Any) -> Message:
    known = Message(
        key=f"key-{number}",
        to=f"+7999{number:07}",
        text=f"Заказ №{number} принят",
        batch_key="batch-1",
    )
    return replace(known, **changes)


def settings(simulator: SmsRuSimulator, **changes: Any) -> SmsRuConfig:
    return SmsRuConfig.model_validate({"token": TOKEN, "base_url": simulator.url} | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[SmsRuSimulator]:
    async with SmsRuSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def sms_ru(simulator: SmsRuSimulator, http: ProviderHttp) -> SmsRu:
    return SmsRu(settings(simulator), http)


class TestCalls:
    async def test_carry_a_text_of_its_own_to_each_number(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        messages = [message(i) for i in range(3)]
        [call] = sms_ru.split(messages)

        outcomes = await sms_ru.send(call)

        assert outcomes == [Accepted(sent.provider_id) for sent in simulator.sent]
        assert [(f"+{sent.to}", sent.text) for sent in simulator.sent] == [
            (m.to, m.text) for m in messages
        ]

    def test_hold_a_hundred_and_a_number_once(self, sms_ru: SmsRu) -> None:
        messages = [*(message(i) for i in range(150)), message(1, key="again")]

        assert [len(call) for call in sms_ru.split(messages)] == [100, 51]

    async def test_name_the_sender_and_may_be_tests(
        self, simulator: SmsRuSimulator, http: ProviderHttp
    ) -> None:
        adapter = SmsRu(settings(simulator, sender="Romashka", test=True), http)

        [outcome] = await adapter.send([message()])

        assert isinstance(outcome, Accepted)
        assert simulator.calls[0]["from"] == "Romashka"
        assert not simulator.sent


class TestAnswers:
    @pytest.mark.parametrize(
        ("code", "scope", "suppress"),
        [
            *((code, Scope.ACCOUNT, True) for code in (200, 201, 204, 206, 300, 301, 302, 901)),
            *((code, Scope.RECIPIENT, True) for code in (202, 209, 215)),
            *((code, Scope.RECIPIENT, False) for code in (207, 214, 230, 232)),
            *(
                (code, Scope.MESSAGE, True)
                for code in (203, 205, 208, 210, 211, 212, 213, 216, 303, 999)
            ),
        ],
    )
    async def test_say_whose_fault_it_is(
        self,
        sms_ru: SmsRu,
        simulator: SmsRuSimulator,
        code: int,
        scope: Scope,
        suppress: bool,
    ) -> None:
        simulator.codes["79990000001"] = code

        good, refused = await sms_ru.send([message(0), message(1)])

        assert isinstance(good, Accepted)
        assert refused == Refused(scope, str(code), f"Code {code}", suppress=suppress)

    @pytest.mark.parametrize(
        ("code", "after", "throttled"),
        [
            (220, timedelta(minutes=1), False),
            (500, timedelta(minutes=1), False),
            (231, timedelta(minutes=1), True),
            (233, timedelta(minutes=10), True),
            (501, timedelta(minutes=10), True),
            (508, timedelta(minutes=10), True),
        ],
    )
    async def test_may_ask_for_patience(
        self,
        sms_ru: SmsRu,
        simulator: SmsRuSimulator,
        code: int,
        after: timedelta,
        throttled: bool,
    ) -> None:
        simulator.code = code

        [outcome] = await sms_ru.send([message()])

        # Who gets the same text twice in a minute, or one code after the other, holds up nobody else.
        assert outcome == Retry(f"sms-ru-{code}", after, throttled=throttled, alone=throttled)

    async def test_may_ask_for_patience_with_one_number(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        simulator.codes["79990000001"] = 233

        outcomes = await sms_ru.send([message(1), message(2)])

        assert outcomes == [
            Retry("sms-ru-233", timedelta(minutes=10), throttled=True, alone=True),
            Accepted(simulator.sent[0].provider_id),
        ]

    async def test_about_the_whole_call_are_about_each(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        simulator.code = 202

        outcomes = await sms_ru.send([message(1), message(2)])

        # Which of the two is wrong is not said, so neither is suppressed.
        assert outcomes == [Refused(Scope.RECIPIENT, "202", "Code 202", suppress=False)] * 2

    async def test_that_name_one_number_of_two_leave_the_other_open(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        body = '{"status_code": 100, "sms": {"79990000001": {"status_code": 100, "sms_id": "1-2"}}}'
        simulator.fault = Fault(status=200, body=body, content_type="application/json")

        outcomes = await sms_ru.send([message(1), message(2)])

        assert outcomes == [Accepted("1-2"), Retry("number-not-listed", maybe_sent=True)]


class TestRepeats:
    async def test_after_no_answer_are_accepted(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        simulator.faults.append(Fault(status=504, after_taking=True))

        [lost] = await sms_ru.send([message()])
        [found] = await sms_ru.send([message()])

        assert isinstance(lost, Retry)
        assert lost.maybe_sent
        # Its id came with the answer that was lost.
        assert found == Accepted("")
        assert len(simulator.sent) == 1

    async def test_after_no_answer_to_another_process_are_accepted(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator, http: ProviderHttp
    ) -> None:
        simulator.faults.append(Fault(status=504, after_taking=True))
        await sms_ru.send([message()])

        [found] = await SmsRu(settings(simulator), http).send([message(doubtful=True)])

        assert found == Accepted("")
        assert len(simulator.sent) == 1

    async def test_after_an_answer_keep_the_id(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        first = await sms_ru.send([message()])
        again = await sms_ru.send([message()])

        assert first == again

    async def test_of_somebody_else_wait_a_minute(
        self, sms_ru: SmsRu, simulator: SmsRuSimulator
    ) -> None:
        await sms_ru.send([message()])

        [outcome] = await sms_ru.send([message(key="another")])

        assert outcome == Retry("sms-ru-231", timedelta(minutes=1), throttled=True, alone=True)

    async def test_that_never_left_are_sent(self, sms_ru: SmsRu, simulator: SmsRuSimulator) -> None:
        simulator.faults.append(Fault(status=502))

        await sms_ru.send([message()])
        [outcome] = await sms_ru.send([message()])

        assert outcome == Accepted(simulator.sent[0].provider_id)


def post(body: bytes) -> HookRequest:
    return HookRequest("POST", {}, {}, body)


def status(sms_id: str, code: object, when: str = "1793527200") -> str:
    return f"sms_status\n{sms_id}\n{code}\n{when}"


class TestReceipts:
    def test_are_signed_as_known(self, simulator: SmsRuSimulator, http: ProviderHttp) -> None:
        adapter = SmsRu(settings(simulator, token="api-1"), http)
        form = {
            "data[0]": "sms_status\n000000-10000000\n103\n1760000000",
            "data[1]": "test\n1760000001",
            "hash": "42492a909d875aa74f1b1845774a8a247b69059bd3dbc38bc331a8825526363d",
        }

        told = adapter.read_hook(post(urlencode(form).encode()))

        assert told.receipts == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id="000000-10000000",
                code="103",
                at=datetime.fromtimestamp(1760000000, UTC),
            )
        ]
        assert told.reply == HookReply("100")
        assert isinstance(adapter, ReadsHooks)

    async def test_name_what_was_accepted(self, sms_ru: SmsRu, simulator: SmsRuSimulator) -> None:
        [outcome] = await sms_ru.send([message()])

        [receipt] = sms_ru.read_hook(
            post(callback([status(simulator.sent[0].provider_id, 103)]))
        ).receipts

        assert isinstance(outcome, Accepted)
        assert receipt.provider_id == outcome.provider_id

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            *((code, ReceiptStatus.SENT) for code in (100, 101, 102)),
            (103, ReceiptStatus.DELIVERED),
            (110, ReceiptStatus.READ),
            *((code, ReceiptStatus.FAILED) for code in (104, 105, 106, 107, 108, 150)),
        ],
    )
    def test_say_what_became_of_it(self, sms_ru: SmsRu, code: int, expected: ReceiptStatus) -> None:
        [receipt] = sms_ru.read_hook(post(callback([status("1-2", code)]))).receipts

        assert (receipt.status, receipt.code) == (expected, str(code))

    def test_come_up_to_a_hundred_at_once_in_their_order(self, sms_ru: SmsRu) -> None:
        entries = [status(f"1-{i}", 103) for i in range(100)]

        receipts = sms_ru.read_hook(post(callback(entries))).receipts

        assert [receipt.provider_id for receipt in receipts] == [f"1-{i}" for i in range(100)]

    def test_of_other_kinds_and_unknown_words_are_passed_over(self, sms_ru: SmsRu) -> None:
        entries = [
            "test\n1760000001",
            "callcheck_status\n1\n401\n1760000001",
            "",
            "sms_status",
            "sms_status\n1-2",
            status("1-2", -1),
            status("1-2", 777),
            status("1-2", "²"),
            status("1-3", 103, "yesterday"),
            "sms_status\r\n1-4\r\n103",
        ]

        told = sms_ru.read_hook(post(callback(entries)))

        assert [(receipt.provider_id, receipt.at) for receipt in told.receipts] == [
            ("1-3", None),
            ("1-4", None),
        ]
        assert told.reply.body == "100"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"hash=",
            b"data[0]=sms_status%0A1%0A103%0A1",
            "hash=ы".encode(),
            callback([status("1-2", 103)], token="another"),
            callback([status("1-2", 103)]).replace(b"103", b"104"),
        ],
    )
    def test_with_another_hash_are_forged(self, sms_ru: SmsRu, body: bytes) -> None:
        with pytest.raises(BadHook) as bad:
            sms_ru.read_hook(post(body))

        assert bad.value.forged


@pytest.mark.parametrize("given", [{}, {"token": ""}, {"token": "t", "base_url": "sms.ru"}])
def test_wrong_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SmsRuConfig.model_validate(given)
