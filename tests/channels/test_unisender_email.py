"""Unisender's letters: the call, the codes of an address, what it tells later and when it is asked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    HookRequest,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Unavailable,
)
from channels.email.unisender import UnisenderEmail, UnisenderEmailConfig
from channels.http import ProviderHttp
from tests.simulators.base import Fault
from tests.simulators.unisender import (
    LIST_ID,
    TOKEN,
    UnisenderSimulator,
    callback,
    letter_event,
)

MINUTE = timedelta(minutes=1)


def message(name: str = "anna", **changes: Any) -> Message:
    known = Message(
        key=f"key-{name}",
        to=f"{name}@example.com",
        subject="Заказ 1001",
        text="Заказ принят",
        html="<p>Заказ принят</p>",
        locale="ru",
    )
    return replace(known, **changes)


def settings(base_url: str, **changes: Any) -> UnisenderEmailConfig:
    given = {
        "token": TOKEN,
        "from": "Ромашка <shop@example.com>",
        "list_id": LIST_ID,
        "base_url": base_url,
    }
    return UnisenderEmailConfig.model_validate(given | changes)


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
def unisender(simulator: UnisenderSimulator, http: ProviderHttp) -> UnisenderEmail:
    return UnisenderEmail(settings(simulator.base_url), http)


async def one(unisender: UnisenderEmail, letter: Message) -> Outcome:
    [outcome] = await unisender.send([letter])
    return outcome


class TestACall:
    async def test_carries_one_letter(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        assert unisender.split([message("a"), message("b")]) == [[message("a")], [message("b")]]

        outcome = await one(unisender, message(to_name="Анна Иванова"))

        [form] = simulator.calls
        assert outcome == Accepted("11411542313")
        assert form == {
            "api_key": TOKEN,
            "email": "Анна Иванова <anna@example.com>",
            "sender_name": "Ромашка",
            "sender_email": "shop@example.com",
            "subject": "Заказ 1001",
            "body": "<p>Заказ принят</p>",
            "list_id": "17",
            "track_read": "0",
            "track_links": "0",
            "error_checking": "1",
            "metadata[delivery]": "key-anna",
            "lang": "ru",
        }

    @pytest.mark.parametrize("name", ["Иванова, Анна", "Анна <Аня>", 'ООО "Ива"', "a@b"])
    async def test_leaves_out_a_name_that_could_be_read_as_addresses(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator, name: str
    ) -> None:
        await unisender.send([message(to_name=name)])

        assert simulator.calls[0]["email"] == "anna@example.com"

    async def test_makes_a_letter_of_plain_text(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        await unisender.send([message(html="", text='Чашка <"200 мл">\nи блюдце', locale="kk")])

        assert simulator.sent[0].html == 'Чашка &lt;"200 мл"&gt;<br>\nи блюдце'
        assert "lang" not in simulator.calls[0]

    async def test_asks_for_counting_where_the_settings_say_so(
        self, simulator: UnisenderSimulator, http: ProviderHttp
    ) -> None:
        config = settings(simulator.base_url, track_read=True, track_links=True)

        await UnisenderEmail(config, http).send([message()])

        assert (simulator.calls[0]["track_read"], simulator.calls[0]["track_links"]) == ("1", "1")

    async def test_of_older_accounts_is_answered_by_the_id_alone(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.fault = Fault(status=200, body='{"result": {"email_id": 1234}}')

        assert await one(unisender, message()) == Accepted("1234")


class TestCodes:
    @pytest.mark.parametrize(
        ("code", "scope", "suppress"),
        [
            ("invalid_email", Scope.RECIPIENT, True),
            ("unsubscribed_globally", Scope.RECIPIENT, False),
            ("empty_sender_name", Scope.ACCOUNT, False),
            ("invalid_sender_email", Scope.ACCOUNT, False),
            ("unchecked_sender_email", Scope.ACCOUNT, False),
            ("body_exceeds_length", Scope.MESSAGE, False),
            ("subject_exceeds_length", Scope.MESSAGE, False),
            ("unsubscribe_link_missing", Scope.MESSAGE, False),
            ("something_new", Scope.MESSAGE, False),
        ],
    )
    async def test_of_an_address(
        self,
        unisender: UnisenderEmail,
        simulator: UnisenderSimulator,
        code: str,
        scope: Scope,
        suppress: bool,
    ) -> None:
        simulator.failed["anna@example.com"] = code

        outcome = await one(unisender, message())

        # The service quotes the address.
        assert outcome == Refused(scope, code, f"{code}: (address)", suppress=suppress)

    @pytest.mark.parametrize(
        ("code", "scope"),
        [
            ("invalid_api_key", Scope.ACCOUNT),
            ("access_denied", Scope.ACCOUNT),
            ("not_enough_money", Scope.ACCOUNT),
            ("unknown_method", Scope.MESSAGE),
            ("unspecified", Scope.MESSAGE),
            ("invalid_arg", Scope.MESSAGE),
        ],
    )
    async def test_of_a_call(
        self,
        unisender: UnisenderEmail,
        simulator: UnisenderSimulator,
        code: str,
        scope: Scope,
    ) -> None:
        simulator.error = code

        outcome = await one(unisender, message())

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (scope, code)

    async def test_say_whose_fault_a_wrong_argument_is_by_its_name(
        self, simulator: UnisenderSimulator, http: ProviderHttp
    ) -> None:
        outcome = await one(
            UnisenderEmail(settings(simulator.base_url, list_id=99), http), message()
        )

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.ACCOUNT
        assert "list_id=99" in outcome.reason

    async def test_of_a_letter_too_long_for_it_are_its_own(self, unisender: UnisenderEmail) -> None:
        outcome = await one(unisender, message(html="я" * 600_000))

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "body_exceeds_length")


class TestASecondLetterWithinAMinute:
    async def test_waits(self, unisender: UnisenderEmail, simulator: UnisenderSimulator) -> None:
        await unisender.send([message(key="first")])

        assert await one(unisender, message(key="second")) == Retry(
            "has_been_sent", MINUTE, throttled=True, alone=True
        )
        simulator.later()
        assert isinstance(await one(unisender, message(key="second")), Accepted)

    async def test_that_repeats_an_unanswered_one_had_arrived(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.faults.append(Fault(close=True, after_taking=True))

        first = await one(unisender, message())
        again = await one(unisender, message())

        assert isinstance(first, Retry)
        assert first.maybe_sent
        assert again == Accepted()
        assert len(simulator.sent) == 1

    async def test_after_an_unanswered_one_that_was_another_waits(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.faults.append(Fault(close=True, after_taking=True))
        await unisender.send([message(key="first")])

        outcome = await one(unisender, message(key="second"))

        assert isinstance(outcome, Retry)
        assert outcome.throttled
        assert isinstance(await one(unisender, message(key="first")), Accepted)


def hook(body: bytes) -> HookRequest:
    return HookRequest("POST", {}, {}, body)


# A call as an account got it in 2017 but for the address, signed anew.
CAPTURED = {
    "event_name": "email_status",
    "event_time": "2017-06-19 10:38:22",
    "event_data": {
        "email": "anna@example.com",
        "status": "ok_delivered",
        "status_group": "success_pending_group",
        "email_id": 11411542313,
    },
}


class TestCallbacks:
    def test_name_the_letter_by_its_number_where_they_bring_no_metadata(
        self, unisender: UnisenderEmail
    ) -> None:
        told = unisender.read_hook(hook(callback(CAPTURED)))

        assert told.receipts == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id="11411542313",
                at=datetime(2017, 6, 19, 10, 38, 22, tzinfo=UTC),
            )
        ]

    @pytest.mark.parametrize(
        ("status", "told"),
        [
            ("not_sent", ["sent"]),
            ("ok_sent", ["sent"]),
            ("ok_delivered", ["delivered"]),
            ("ok_read", ["read"]),
            ("ok_link_visited", ["clicked"]),
            ("ok_unsubscribed", ["read", "unsubscribed"]),
            ("ok_spam_folder", ["delivered", "unsubscribed"]),
            ("ok_fbl", ["delivered", "complained"]),
            ("err_will_retry", ["deferred"]),
            ("err_resend", ["deferred"]),
            ("err_user_unknown", ["bounced"]),
            ("err_user_inactive", ["bounced"]),
            ("err_dest_invalid", ["bounced"]),
            ("err_unreachable", ["bounced"]),
            ("skip_dup_unreachable", ["bounced"]),
            ("err_unsubscribed", ["failed", "unsubscribed"]),
            ("err_mailbox_full", ["failed"]),
            ("err_domain_inactive", ["failed"]),
            ("err_spam_rejected", ["failed"]),
            ("err_not_allowed", ["failed"]),
            ("err_not_available", ["failed"]),
            ("skip_dup_temp_unreachable", ["failed"]),
            ("err_lost", ["lost"]),
            ("err_internal", ["lost"]),
            ("err_spam_retry", ["lost"]),
            ("err_something_new", ["failed"]),
            ("ok_something_new", []),
            ("something_new", []),
        ],
    )
    async def test_know_every_status(
        self,
        unisender: UnisenderEmail,
        simulator: UnisenderSimulator,
        status: str,
        told: list[str],
    ) -> None:
        await unisender.send([message()])
        [sent] = simulator.sent

        receipts = unisender.read_hook(hook(callback(letter_event(sent, status)))).receipts

        assert [receipt.status for receipt in receipts] == told
        assert {receipt.key for receipt in receipts} <= {"key-anna"}
        assert {receipt.code for receipt in receipts} <= {status if "_" in status else "", ""}

    async def test_come_packed_and_alone_too(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        await unisender.send([message()])
        event = letter_event(simulator.sent[0], "ok_read")

        packed = unisender.read_hook(hook(callback(event, packed=True)))

        assert [receipt.status for receipt in packed.receipts] == [ReceiptStatus.READ]

    async def test_of_campaigns_are_passed_over(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        await unisender.send([message()])
        event = letter_event(simulator.sent[0], "ok_read", campaign_id=7, metadata={})

        assert unisender.read_hook(hook(callback(event))).receipts == []

    @pytest.mark.parametrize(
        ("lists", "heard"), [(None, True), (["16", "17"], True), ([17], True), (["16"], False)]
    )
    def test_tell_who_left_the_list_under_our_letters(
        self, unisender: UnisenderEmail, lists: list[Any] | None, heard: bool
    ) -> None:
        data = {"email": "anna@example.com"}
        left = {
            "event_name": "unsubscribe",
            "event_time": "2026-11-01 10:00:00",
            "event_data": data | ({"just_unsubscribed_list_ids": lists} if lists else {}),
        }

        receipts = unisender.read_hook(hook(callback(left))).receipts

        expected = Receipt(
            ReceiptStatus.UNSUBSCRIBED,
            address="anna@example.com",
            at=datetime(2026, 11, 1, 10, tzinfo=UTC),
        )
        assert receipts == ([expected] if heard else [])

    @pytest.mark.parametrize(
        "event",
        [
            {"event_name": "email_status"},
            {"event_name": "email_status", "event_data": []},
            {"event_name": "unsubscribe", "event_data": {"email": "nobody"}},
            {"event_name": "user_payment", "event_data": {"email_id": 1, "status": "ok_read"}},
        ],
    )
    def test_of_other_things_are_passed_over(
        self, unisender: UnisenderEmail, event: dict[str, Any]
    ) -> None:
        assert unisender.read_hook(hook(callback(event))).receipts == []

    def test_are_refused_with_another_key(self, unisender: UnisenderEmail) -> None:
        with pytest.raises(BadHook) as refused:
            unisender.read_hook(hook(callback(CAPTURED, token="another")))

        assert refused.value.forged


def asked(*ids: str) -> list[Sent]:
    return [Sent(f"key-{i}", i, "anna@example.com", datetime.now(UTC)) for i in ids]


class TestAsked:
    async def test_it_tells_of_those_of_which_there_is_news(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.statuses = {"1": "ok_sent", "2": "err_will_retry", "3": "ok_unsubscribed"}

        receipts = await unisender.ask(asked("1", "2", "3", "404"))

        assert receipts == [
            Receipt(ReceiptStatus.DEFERRED, "2", "key-2", code="err_will_retry"),
            Receipt(ReceiptStatus.READ, "3", "key-3"),
            Receipt(ReceiptStatus.UNSUBSCRIBED, "3", "key-3"),
        ]

    async def test_of_letters_without_a_number_it_has_nothing_to_tell(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        assert await unisender.ask(asked("")) == []
        assert simulator.requests == 0

    async def test_with_a_wrong_key_nothing_is_learned(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.token = "another"

        with pytest.raises(Unavailable, match="invalid_api_key") as away:
            await unisender.ask(asked("1"))

        assert TOKEN not in str(away.value)


class TestACheck:
    async def test_says_whose_key_it_is_and_that_the_sender_is_confirmed(
        self, unisender: UnisenderEmail
    ) -> None:
        check = await unisender.check()

        assert check.ok
        assert "romashka, balance 120.40 RUB" in check.text
        assert "shop@example.com is confirmed" in check.text

    @pytest.mark.parametrize("senders", [{}, {"shop@example.com": False}])
    async def test_fails_for_a_sender_that_is_not_confirmed(
        self,
        unisender: UnisenderEmail,
        simulator: UnisenderSimulator,
        senders: dict[str, bool],
    ) -> None:
        simulator.senders = senders

        check = await unisender.check()

        assert not check.ok
        assert "shop@example.com is not a confirmed sender" in check.text

    async def test_says_so_where_the_key_may_not_ask(
        self, unisender: UnisenderEmail, simulator: UnisenderSimulator
    ) -> None:
        simulator.may_ask_senders = False

        check = await unisender.check()

        assert check.ok
        assert "does not tell whether shop@example.com is confirmed" in check.text


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"from": "shop@example.com"}, "must have a name"),
        ({"from": "Ромашка <shop@mail.ru>"}, "shop's own domain"),
        ({"list_id": 0}, "greater than 0"),
        ({"token": ""}, "at least 1"),
        ({"base_url": "ftp://x"}, "URL scheme"),
    ],
)
def test_wrong_settings_say_what_is_wrong(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong) as error:
        settings(**{"base_url": "https://api.unisender.com/ru/api"} | changes)

    assert TOKEN not in str(error.value)
