"""SendPulse's letters: how they look on the wire, what the service tells of them later."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    HookRequest,
    Message,
    Receipt,
    ReceiptStatus,
    Sent,
    Told,
    Unavailable,
)
from channels.email.sendpulse import SendpulseEmail, SendpulseEmailConfig
from channels.http import ProviderHttp
from tests.simulators.sendpulse import KEY, SendpulseSimulator, hook

MESSAGE = Message(
    key="key-1",
    to="anna@example.com",
    to_name="Анна",
    subject="Заказ 1001",
    text="Принят",
    html="<p>Принят</p>",
)
AT = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.fixture
async def simulator() -> AsyncIterator[SendpulseSimulator]:
    async with SendpulseSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


def adapter(simulator: SendpulseSimulator, http: ProviderHttp, **changes: Any) -> SendpulseEmail:
    given = {"token": KEY, "from": "Ромашка <shop@example.com>", "base_url": simulator.url}
    return SendpulseEmail(SendpulseEmailConfig.model_validate(given | changes), http)


@pytest.fixture
def sendpulse(simulator: SendpulseSimulator, http: ProviderHttp) -> SendpulseEmail:
    return adapter(simulator, http)


class TestLetters:
    async def test_have_their_html_in_base64(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        await sendpulse.send([MESSAGE])

        assert simulator.calls == [
            {
                "subject": "Заказ 1001",
                "html": base64.b64encode("<p>Принят</p>".encode()).decode(),
                "text": "Принят",
                "from": {"name": "Ромашка", "email": "shop@example.com"},
                "to": [{"name": "Анна", "email": "anna@example.com"}],
            }
        ]

    async def test_without_html_get_some(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        await sendpulse.send([replace(MESSAGE, html="", text="Роза & К\n<спасибо>")])

        assert simulator.sent[0].html == "Роза &amp; К<br>\n&lt;спасибо&gt;"

    async def test_name_who_is_answered_to_and_a_sender_without_a_name(
        self, simulator: SendpulseSimulator, http: ProviderHttp
    ) -> None:
        letters = adapter(
            simulator, http, **{"from": "shop@example.com", "reply_to": "Анна <a@example.com>"}
        )

        await letters.send([replace(MESSAGE, to_name="")])

        [call] = simulator.calls
        assert call["from"] == {"name": "shop@example.com", "email": "shop@example.com"}
        assert call["to"] == [{"email": "anna@example.com"}]
        assert call["reply_to"] == {"name": "Анна", "email": "a@example.com"}

    async def test_break_no_header(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        await sendpulse.send(
            [replace(MESSAGE, subject="Заказ\r\nBcc: x@example.com", to_name="А\nб")]
        )

        assert simulator.calls[0]["subject"] == "Заказ Bcc: x@example.com"
        assert simulator.calls[0]["to"][0]["name"] == "А б"

    def test_go_one_by_one(self, sendpulse: SendpulseEmail) -> None:
        assert sendpulse.split([MESSAGE, replace(MESSAGE, key="key-2")]) == [
            [MESSAGE],
            [replace(MESSAGE, key="key-2")],
        ]


def post(body: bytes) -> HookRequest:
    return HookRequest("POST", {}, {}, body)


def event(name: str, **more: Any) -> dict[str, Any]:
    """As the provider's page shows them."""
    known = {"event": name, "timestamp": 1793527200, "message_id": "pzkic9-0afezp-fc"}
    return known | {"recipient": "Anna@example.com", "sender": "shop@example.com"} | more


def answered(code: Any, subcode: str = "", text: str = "") -> dict[str, Any]:
    return {
        "smtp_server_response_code": code,
        "smtp_server_response_subcode": subcode,
        "smtp_server_response": text,
    }


class TestEvents:
    def test_come_many_at_once(self, sendpulse: SendpulseEmail) -> None:
        body = hook(
            event("delivered", **answered("250", "", "OK  for anna@EXAMPLE.com")),
            event("opened", message_id=1149317311),
            event("clicked"),
        )

        assert sendpulse.read_hook(post(body)).receipts == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id="pzkic9-0afezp-fc",
                code="250",
                text="OK for (address)",
                at=AT,
            ),
            Receipt(ReceiptStatus.READ, provider_id="1149317311", at=AT),
            Receipt(ReceiptStatus.CLICKED, provider_id="pzkic9-0afezp-fc", at=AT),
        ]

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("spam_by_user", ReceiptStatus.COMPLAINED),
            ("spam", ReceiptStatus.COMPLAINED),
            ("unsubscribed", ReceiptStatus.UNSUBSCRIBED),
        ],
    )
    def test_of_people_name_the_address_too(
        self, sendpulse: SendpulseEmail, name: str, status: ReceiptStatus
    ) -> None:
        [receipt] = sendpulse.read_hook(post(hook(event(name)))).receipts

        assert receipt == Receipt(
            status, provider_id="pzkic9-0afezp-fc", at=AT, address="Anna@example.com"
        )

    @pytest.mark.parametrize(
        ("name", "answer", "status"),
        [
            ("hard_bounces", answered(550, "5.1.1", "User unknown"), ReceiptStatus.BOUNCED),
            ("hard_bounces", answered("550", "", "no such mailbox"), ReceiptStatus.BOUNCED),
            ("hard_bounces", {}, ReceiptStatus.BOUNCED),
            # Doubted: the server speaks of something else than a dead address.
            ("hard_bounces", answered(550, "5.7.1", "looks like spam"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(550, "", "spam message rejected"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(550, "", "your IP is blacklisted"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(550, "", "relay not permitted"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(552, "5.2.2", "mailbox full"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(554, "", "rejected"), ReceiptStatus.FAILED),
            ("hard_bounces", answered(421, "", "later"), ReceiptStatus.FAILED),
            ("undelivered", answered(550, "5.1.1", "User unknown"), ReceiptStatus.BOUNCED),
            ("undelivered", answered(550, "", "rejected"), ReceiptStatus.FAILED),
            ("undelivered", {}, ReceiptStatus.FAILED),
            ("soft_bounces", answered(452, "4.2.2", "full"), ReceiptStatus.DEFERRED),
        ],
    )
    def test_of_bounces_are_believed_as_far_as_the_server_bears_them_out(
        self, sendpulse: SendpulseEmail, name: str, answer: dict[str, Any], status: ReceiptStatus
    ) -> None:
        [receipt] = sendpulse.read_hook(post(hook(event(name, **answer)))).receipts

        assert receipt.status is status
        assert bool(receipt.address) is (status is ReceiptStatus.BOUNCED)

    def test_of_bounces_may_name_the_address_alone(self, sendpulse: SendpulseEmail) -> None:
        bounce = {
            "event": "hard_bounces",
            "timestamp": 1793527200,
            "task_id": 17076325,
            "email": "b@example.com",
            **answered(550, "5.1.1", "Recipient address rejected"),
        }
        body = hook(bounce, bounce | {"event": "soft_bounces"})

        assert sendpulse.read_hook(post(body)).receipts == [
            Receipt(
                ReceiptStatus.BOUNCED,
                code="5.1.1",
                text="Recipient address rejected",
                at=AT,
                address="b@example.com",
            )
        ]

    def test_not_known_yet_are_passed_over(self, sendpulse: SendpulseEmail) -> None:
        body = hook(event("resubscribed"), event("what"), {}, event("opened", message_id=""))

        assert sendpulse.read_hook(post(body)) == Told([])

    @pytest.mark.parametrize("body", [b"", b"{}", b"x" * 5_000_000])
    def test_that_are_none_are_bad(self, sendpulse: SendpulseEmail, body: bytes) -> None:
        with pytest.raises(BadHook) as bad:
            sendpulse.read_hook(post(body))

        assert not bad.value.forged

    def test_may_be_tried_out(self, sendpulse: SendpulseEmail) -> None:
        assert sendpulse.read_hook(HookRequest("GET", {}, {}, b"")) == Told()


async def sent_one(sendpulse: SendpulseEmail) -> Sent:
    [outcome] = await sendpulse.send([MESSAGE])
    assert isinstance(outcome, Accepted)
    return Sent(MESSAGE.key, outcome.provider_id, MESSAGE.to, AT)


RCPT = "SMTP error from remote mail server after RCPT TO:<anna@example.com>: 550 no such user"


class TestRecords:
    @pytest.mark.parametrize(
        ("record", "status"),
        [
            ({"smtp_answer_code": 250}, ReceiptStatus.DELIVERED),
            ({"smtp_answer_code": "250"}, ReceiptStatus.DELIVERED),
            ({"smtp_answer_code": 451}, ReceiptStatus.DEFERRED),
            ({"smtp_answer_code": 550, "smtp_answer_subcode": "5.1.1"}, ReceiptStatus.BOUNCED),
            ({"smtp_answer_code": 550, "smtp_answer_data": RCPT}, ReceiptStatus.BOUNCED),
            (
                {"smtp_answer_code": 550, "smtp_answer_data": "550 5.1.1 <x> gone"},
                ReceiptStatus.BOUNCED,
            ),
            ({"smtp_answer_code": 550, "smtp_answer_data": "spam"}, ReceiptStatus.FAILED),
            ({"smtp_answer_code": 554, "smtp_answer_subcode": "5.7.1"}, ReceiptStatus.FAILED),
        ],
    )
    async def test_tell_what_the_server_answered(
        self,
        sendpulse: SendpulseEmail,
        simulator: SendpulseSimulator,
        record: dict[str, Any],
        status: ReceiptStatus,
    ) -> None:
        sent = await sent_one(sendpulse)
        simulator.records[sent.provider_id] |= record

        [receipt] = await sendpulse.ask([sent])

        assert (receipt.status, receipt.provider_id) == (status, sent.provider_id)
        assert MESSAGE.to not in receipt.text

    async def test_tell_of_reading_too(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        sent = await sent_one(sendpulse)
        tracking = {"open": "2", "click": 1}
        simulator.records[sent.provider_id] |= {"smtp_answer_code": 250, "tracking": tracking}

        receipts = await sendpulse.ask([sent])

        assert [receipt.status for receipt in receipts] == [
            ReceiptStatus.DELIVERED,
            ReceiptStatus.READ,
            ReceiptStatus.CLICKED,
        ]

    async def test_are_not_there_at_once(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        sent = await sent_one(sendpulse)
        without_id = Sent("key-2", "", MESSAGE.to, AT)

        early = await sendpulse.ask([sent, without_id])
        simulator.records.clear()

        assert early == await sendpulse.ask([sent]) == await sendpulse.ask([without_id]) == []

    async def test_cannot_be_had_without_rights(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        sent = await sent_one(sendpulse)
        simulator.error = (403, 403, "Account expired")

        with pytest.raises(Unavailable, match="403 Account expired"):
            await sendpulse.ask([sent])


class TestCheck:
    async def test_names_the_sender_and_the_balance(self, sendpulse: SendpulseEmail) -> None:
        check = await sendpulse.check()

        assert (check.ok, check.text) == (
            True,
            "SendPulse answers, sends as shop@example.com, balance 120.4 RUR",
        )

    async def test_finds_a_sender_that_is_not_confirmed(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        simulator.senders = ["other@example.com"]

        check = await sendpulse.check()

        assert not check.ok
        assert "shop@example.com" in check.text

    async def test_finds_another_service_behind_base_url(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        simulator.senders = [{}]  # type: ignore[list-item]

        assert not (await sendpulse.check()).ok


class TestSettings:
    def test_take_no_free_mail_for_a_sender(self) -> None:
        with pytest.raises(ValidationError, match="own domain"):
            SendpulseEmailConfig.model_validate({"token": "hush", "from": "shop@mail.ru"})
