"""WhatsApp's Cloud API: what is sent in and outside the 24 hours, what its errors mean, what it calls with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    Heard,
    HookRequest,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Told,
)
from channels.http import ProviderHttp, Reply
from channels.whatsapp import errors
from channels.whatsapp.cloud_api import CloudApi, CloudApiConfig
from tests.simulators.base import Sent
from tests.simulators.whatsapp import (
    NUMBER_ID,
    SECRET,
    TOKEN,
    VERIFY,
    Approved,
    WhatsAppSimulator,
    signed,
    status,
    webhook,
    written,
)

AT = datetime.fromtimestamp(1793527200, UTC)
SHIPPED = {"name": "order_shipped", "body": ["order.number", "order.tracking"]}
MESSAGE = Message(
    key="0192-key",
    to="+79991234567",
    text="Заказ 1001 отправлен",
    template="order.shipped",
    locale="ru",
    values={"order": {"number": "1001", "tracking": "RA123"}, "shop": {"name": "Ромашка"}},
)


@pytest.fixture
async def simulator() -> AsyncIterator[WhatsAppSimulator]:
    async with WhatsAppSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


class Account:
    """Sends by an account with these settings."""

    def __init__(self, simulator: WhatsAppSimulator, http: ProviderHttp) -> None:
        self.simulator = simulator
        self.http = http

    def made(self, **settings: Any) -> CloudApi:
        given: dict[str, Any] = {
            "token": TOKEN,
            "sender": NUMBER_ID,
            "app_secret": SECRET,
            "verify_token": VERIFY,
            "base_url": self.simulator.url,
            "templates": {"order.shipped": SHIPPED},
        }
        return CloudApi(CloudApiConfig.model_validate(given | settings), self.http)

    async def sends(self, message: Message = MESSAGE, **settings: Any) -> Outcome:
        [outcome] = await self.made(**settings).send([message])
        return outcome


@pytest.fixture
def account(simulator: WhatsAppSimulator, http: ProviderHttp) -> Account:
    return Account(simulator, http)


class TestInsideTheWindow:
    async def test_the_text_goes_as_it_is(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.open.add("79991234567")

        outcome = await account.sends(replace(MESSAGE, session_open=True, text="Раз\n\nДва"))

        assert outcome == Accepted("wamid.00000001")
        assert simulator.calls == [
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": "79991234567",
                "type": "text",
                "text": {"body": "Раз\n\nДва", "preview_url": False},
                "biz_opaque_callback_data": "0192-key",
            }
        ]

    async def test_no_template_is_needed(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.open.add("79991234567")

        assert isinstance(
            await account.sends(replace(MESSAGE, session_open=True), templates={}), Accepted
        )

    async def test_a_window_that_closed_meanwhile_is_the_messages_trouble(
        self, account: Account
    ) -> None:
        outcome = await account.sends(replace(MESSAGE, session_open=True))

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "131047")


class TestOutsideTheWindow:
    async def test_the_approved_template_is_filled_in(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.templates["order_shipped", "ru"] = Approved(2, has_button=True)

        outcome = await account.sends(
            templates={"order.shipped": {**SHIPPED, "button": "order.number"}}
        )

        assert isinstance(outcome, Accepted)
        assert simulator.calls[0]["type"] == "template"
        assert simulator.calls[0]["template"] == {
            "name": "order_shipped",
            "language": {"code": "ru"},
            "components": [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "1001"},
                        {"type": "text", "text": "RA123"},
                    ],
                },
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "1001"}],
                },
            ],
        }

    async def test_without_parameters_there_are_no_components(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.templates["hello_world", "en_US"] = Approved()

        await account.sends(templates={"*": {"name": "hello_world", "language": "en_US"}})

        assert simulator.calls[0]["template"] == {
            "name": "hello_world",
            "language": {"code": "en_US"},
        }

    async def test_the_language_is_the_messages_unless_one_is_named(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.templates["order_shipped", "en"] = Approved(2)
        simulator.templates["order_shipped", "en_GB"] = Approved(2)

        await account.sends(replace(MESSAGE, locale="en"))
        await account.sends(templates={"order.shipped": {**SHIPPED, "language": "en_GB"}})

        languages = [call["template"]["language"]["code"] for call in simulator.calls]
        assert languages == ["en", "en_GB"]

    async def test_one_template_may_stand_for_all_others(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.templates["order_shipped", "ru"] = Approved(2)
        simulator.templates["any_news", "ru"] = Approved(1)
        both = {"order.shipped": SHIPPED, "*": {"name": "any_news", "body": ["text"]}}
        # Neither line ends nor tabs nor many spaces are taken in a parameter.
        text = "Заказ 1001\n\nотменён.\tДеньги     вернутся.\n"

        for template in ("order.shipped", "order.cancelled", ""):
            outcome = await account.sends(
                replace(MESSAGE, template=template, text=text), templates=both
            )
            assert isinstance(outcome, Accepted)

        assert [sent.text for sent in simulator.sent] == [
            "order_shipped 1001 RA123",
            *["any_news Заказ 1001 отменён. Деньги вернутся."] * 2,
        ]

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("order.number", "1001"),
            ("order.total", "4990.50"),
            ("order.count", "2"),
            ("order.lines.1.title", "Чайник"),
            ("shop.name", "Ромашка"),
        ],
    )
    async def test_values_are_found_by_dotted_paths(
        self, account: Account, simulator: WhatsAppSimulator, path: str, value: str
    ) -> None:
        simulator.templates["one", "ru"] = Approved(1)
        lines = [{"title": "Чашка"}, {"title": "Чайник"}]
        order = {"number": "1001", "total": Decimal("4990.50"), "count": 2, "lines": lines}
        message = replace(MESSAGE, values={"order": order, "shop": {"name": "Ромашка"}})

        await account.sends(message, templates={"*": {"name": "one", "body": [path]}})

        assert simulator.sent[0].text == f"one {value}"

    @pytest.mark.parametrize(
        "path",
        [
            "order.tracking",
            "order.lines",
            "order.lines.7.title",
            "order.lines.title",
            "order.number.deeper",
            "order.empty",
            "order.paid",
            "nothing",
        ],
    )
    async def test_a_value_that_is_not_there_is_told_to_the_author(
        self, account: Account, simulator: WhatsAppSimulator, path: str
    ) -> None:
        order: dict[str, Any] = {
            "number": "1001",
            "tracking": None,
            "lines": [{}],
            "empty": " ",
            "paid": True,
        }
        message = replace(MESSAGE, values={"order": order})

        outcome = await account.sends(
            message, templates={"order.shipped": {"name": "one", "body": ["order.number", path]}}
        )

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "no-value")
        assert f"filled with {path}," in outcome.reason
        assert "order.shipped" in outcome.reason
        assert not simulator.requests

    async def test_a_missing_mapping_says_what_to_add_where(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        outcome = await account.sends(replace(MESSAGE, template="order.paid"))
        inline = await account.sends(replace(MESSAGE, template=""))

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "no-template")
        assert 'accounts.templates."order.paid"]' in outcome.reason
        assert isinstance(inline, Refused)
        assert 'accounts.templates."*"]' in inline.reason
        assert not simulator.requests


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "scope", "suppress"),
        [
            *((code, Scope.ACCOUNT, True) for code in (0, 3, 10, 190, 200, 299, 368, 131005)),
            *((code, Scope.ACCOUNT, True) for code in (131030, 131031, 131037, 131042, 131045)),
            *((code, Scope.ACCOUNT, True) for code in (131048, 131064, 133010, 33)),
            *((code, Scope.RECIPIENT, True) for code in (131021, 131026)),
            *(
                (code, Scope.RECIPIENT, False)
                for code in (130472, 131049, 131050, 131062, 130497, 137000)
            ),
            *((code, Scope.MESSAGE, True) for code in (100, 131008, 131009, 131047, 131051)),
            *((code, Scope.MESSAGE, True) for code in (131052, 131053, 132000, 132001, 132005)),
            *((code, Scope.MESSAGE, True) for code in (132007, 132008, 132012, 132015, 132016)),
            *((code, Scope.MESSAGE, True) for code in (131063, 132068, 132069, 999999)),
        ],
    )
    def test_that_refuse(self, code: int, scope: Scope, suppress: bool) -> None:
        outcome = answered(code)

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code, outcome.suppress) == (scope, str(code), suppress)

    @pytest.mark.parametrize("code", [1, 2, 131000, 131016, 131057, 133004])
    def test_of_the_service_are_waited_out(self, code: int) -> None:
        assert answered(code) == Retry(f"whatsapp-{code}")

    @pytest.mark.parametrize("code", [4, 80007, 130429])
    def test_of_the_rate_ask_for_patience(self, code: int) -> None:
        outcome = answered(code, headers={"retry-after": "5"})

        assert outcome == Retry(f"whatsapp-{code}", timedelta(seconds=5), throttled=True)

    def test_of_a_pair_hold_up_this_person_alone(self) -> None:
        assert answered(131056) == Retry(
            "whatsapp-131056", timedelta(seconds=6), throttled=True, alone=True
        )

    def test_that_are_called_transient_are_tried_again(self) -> None:
        assert answered(555, is_transient=True) == Retry("whatsapp-555")
        # What is known is known better.
        assert isinstance(answered(190, is_transient=True), Refused)

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(401, Scope.ACCOUNT), (403, Scope.ACCOUNT), (400, Scope.MESSAGE), (404, Scope.MESSAGE)],
    )
    def test_that_are_not_known_go_by_the_status(self, status: int, expected: Scope) -> None:
        outcome = answered(555, status=status)

        assert isinstance(outcome, Refused)
        assert outcome.scope is expected

    def test_that_are_not_known_of_a_broken_service(self) -> None:
        assert answered(555, status=500) == Retry("http-500")
        assert answered(555, status=429) == Retry("throttled", throttled=True)

    async def test_tell_the_details_and_not_the_token(
        self, account: Account, simulator: WhatsAppSimulator
    ) -> None:
        simulator.templates["order_shipped", "ru"] = Approved(3)

        count = await account.sends()
        simulator.token = "another"
        token = await account.sends()

        assert isinstance(count, Refused)
        assert "Number of parameters does not match" in count.reason
        assert isinstance(token, Refused)
        assert token.reason == "Invalid OAuth access token ***"
        text = errors.read(
            {"code": 1, "message": "A", "title": "A", "error_data": {"details": "B"}}
        )
        assert text
        assert text.text == "A: B"


def answered(
    code: int, *, status: int = 400, headers: dict[str, str] | None = None, **more: Any
) -> Outcome:
    error = errors.read({"code": code, "message": "Words", **more})
    assert error
    return errors.outcome_of(error, Reply(status, headers or {}, b"{}"))


SENT = Sent(
    to="79991234567",
    text="",
    provider_id="wamid.1",
    extra={"biz_opaque_callback_data": "0192-key"},
)


class TestCalls:
    @pytest.fixture(autouse=True)
    def _given(self, account: Account) -> None:
        self.adapter = account.made()

    def told(self, **value: Any) -> Told:
        return self.adapter.read_hook(webhook(**value))

    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("sent", ReceiptStatus.SENT),
            ("delivered", ReceiptStatus.DELIVERED),
            ("read", ReceiptStatus.READ),
            ("played", ReceiptStatus.READ),
        ],
    )
    def test_with_a_status(self, word: str, expected: ReceiptStatus) -> None:
        told = self.told(statuses=[status(SENT, word)])

        assert told.receipts == [Receipt(expected, "wamid.1", "0192-key", at=AT)]

    def test_with_many_in_any_order(self) -> None:
        told = self.told(statuses=[status(SENT, w) for w in ("read", "delivered", "new-word")])

        assert [r.status for r in told.receipts] == [ReceiptStatus.READ, ReceiptStatus.DELIVERED]

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (131026, [ReceiptStatus.BOUNCED]),
            (131049, [ReceiptStatus.FAILED]),
            (131050, [ReceiptStatus.FAILED, ReceiptStatus.UNSUBSCRIBED]),
            (131047, [ReceiptStatus.FAILED]),
            (131042, [ReceiptStatus.FAILED]),
            (131056, [ReceiptStatus.LOST]),
            (130429, [ReceiptStatus.LOST]),
            (131000, [ReceiptStatus.FAILED]),
            (999999, [ReceiptStatus.FAILED]),
        ],
    )
    def test_with_what_went_wrong(self, code: int, expected: list[ReceiptStatus]) -> None:
        error = {"code": code, "title": "Title", "error_data": {"details": "Details"}}

        told = self.told(statuses=[status(SENT, "failed", errors=[error])])

        assert [r.status for r in told.receipts] == expected
        assert {(r.key, r.code, r.text) for r in told.receipts} == {
            ("0192-key", str(code), "Title: Details")
        }

    def test_with_a_failure_without_a_reason(self) -> None:
        told = self.told(statuses=[status(SENT, "failed")])

        assert told.receipts == [Receipt(ReceiptStatus.FAILED, "wamid.1", "0192-key", at=AT)]

    def test_of_an_older_message_without_our_key(self) -> None:
        one = status(SENT, "read")
        del one["biz_opaque_callback_data"]

        [receipt] = self.told(statuses=[one]).receipts

        assert (receipt.provider_id, receipt.key) == ("wamid.1", "")

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ({"type": "text", "text": {"body": "Где заказ?"}}, "Где заказ?"),
            ({"type": "button", "button": {"text": "Да", "payload": "yes"}}, "Да"),
            (
                {
                    "type": "interactive",
                    "interactive": {"type": "button_reply", "button_reply": {"title": "Да"}},
                },
                "Да",
            ),
            (
                {
                    "type": "interactive",
                    "interactive": {"type": "list_reply", "list_reply": {"title": "Первый"}},
                },
                "Первый",
            ),
            ({"type": "image", "image": {"id": "1", "caption": "Вот"}}, "Вот"),
            ({"type": "image", "image": {"id": "1"}}, "[image]"),
            ({"type": "reaction", "reaction": {"emoji": "👍"}}, "👍"),
            ({"type": "unsupported"}, "[unsupported]"),
        ],
    )
    def test_with_what_somebody_wrote(self, said: dict[str, Any], expected: str) -> None:
        plain = written("79991234567", "")
        del plain["text"]

        told = self.told(messages=[plain | said])

        assert told.heard == [Heard("+79991234567", expected, "wamid.in-1", AT)]

    def test_with_what_nobody_wrote(self) -> None:
        changed = {"from": "79991234567", "id": "1", "type": "system", "system": {"body": "…"}}

        assert self.told(messages=[changed]).heard == []

    def test_for_another_number_of_the_app(self) -> None:
        """Its statuses find their messages by the key; its window is its own."""
        told = self.told(
            number_id="999999",
            statuses=[status(SENT, "read")],
            messages=[written("79991234567", "Здравствуйте")],
        )

        assert len(told.receipts) == 1
        assert told.heard == []

    @pytest.mark.parametrize(("wish", "leaves"), [("stop", True), ("resume", False)])
    def test_with_a_wish_about_marketing(self, wish: str, leaves: bool) -> None:
        preference = {
            "wa_id": "79991234567",
            "detail": "User requested to stop marketing messages",
            "category": "marketing_messages",
            "value": wish,
            "timestamp": 1793527200,
        }

        told = self.told(user_preferences=[preference])

        assert [(r.status, r.address, r.at) for r in told.receipts] == (
            [(ReceiptStatus.UNSUBSCRIBED, "+79991234567", AT)] if leaves else []
        )

    def test_are_checked_over_the_bytes(self) -> None:
        # Computed for this project and checked against pywa 4.5.
        body = '{"object":"whatsapp_business_account","entry":[]}'
        digest = "d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"
        call = HookRequest("POST", {"x-hub-signature-256": f"sha256={digest}"}, {}, body.encode())

        assert self.adapter.read_hook(call) == Told([], [])
        with pytest.raises(BadHook) as spaced:
            self.adapter.read_hook(replace(call, body=body.replace(",", ", ").encode()))
        assert spaced.value.forged

    def test_without_a_secret_prove_nothing(self, account: Account) -> None:
        with pytest.raises(BadHook) as refused:
            account.made(app_secret=None).read_hook(webhook(statuses=[status(SENT, "read")]))

        assert refused.value.forged

    def test_about_other_things_are_taken(self) -> None:
        other = '{"entry": [{"changes": [{"field": "message_template_status_update", "value": {"event": "PAUSED"}}, 7]}]}'

        assert self.adapter.read_hook(signed(other)) == Told([], [])

    def test_to_check_the_address_are_answered(self) -> None:
        query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"}

        told = self.adapter.read_hook(HookRequest("GET", {}, query, b""))

        assert (told.reply.body, told.reply.content_type) == ("1158201444", "text/plain")

    @pytest.mark.parametrize(
        ("query", "forged"),
        [
            ({"hub.mode": "subscribe", "hub.verify_token": "no", "hub.challenge": "1"}, True),
            ({"hub.mode": "subscribe", "hub.challenge": "1"}, True),
            ({"hub.challenge": "1"}, False),
        ],
    )
    def test_to_check_the_address_by_strangers(self, query: dict[str, str], forged: bool) -> None:
        with pytest.raises(BadHook) as refused:
            self.adapter.read_hook(HookRequest("GET", {}, query, b""))

        assert refused.value.forged is forged

    def test_to_check_the_address_without_a_token(self, account: Account) -> None:
        with pytest.raises(BadHook, match="verify_token"):
            account.made(verify_token=None).read_hook(
                HookRequest("GET", {}, {"hub.mode": "subscribe"}, b"")
            )


class TestSettings:
    def test_know_the_version_twice(self) -> None:
        given = {"token": TOKEN, "sender": NUMBER_ID}
        own = {"base_url": "https://proxy.example/graph/v21.0/"}

        assert CloudApiConfig.model_validate(given).root == "https://graph.facebook.com/v24.0"
        assert CloudApiConfig.model_validate(given | own).root == own["base_url"].rstrip("/")

    @pytest.mark.parametrize(
        ("wrong", "where"),
        [
            ({"sender": "+79990000000"}, ("sender",)),
            ({"token": ""}, ("token",)),
            ({"version": "23"}, ("version",)),
            ({"templates": {"a": {"name": "Order Shipped"}}}, ("templates", "a", "name")),
            (
                {"templates": {"a": {"name": "a", "language": "русский"}}},
                ("templates", "a", "language"),
            ),
            ({"templates": {"a": {"name": "a", "body": ["a..b"]}}}, ("templates", "a", "body", 0)),
            ({"templates": {"a": {"name": "a", "header": "b"}}}, ("templates", "a", "header")),
        ],
    )
    def test_are_refused(self, wrong: dict[str, Any], where: tuple[str, ...]) -> None:
        with pytest.raises(ValidationError) as refused:
            CloudApiConfig.model_validate({"token": TOKEN, "sender": NUMBER_ID} | wrong)

        assert refused.value.errors()[0]["loc"] == where
        assert TOKEN not in str(refused.value)


async def test_check_names_the_number(account: Account) -> None:
    check = await account.made().check()

    assert check.ok
    assert check.text == "+7 999 000-00-00, Ромашка"


async def test_check_of_a_wrong_number_id(account: Account) -> None:
    check = await account.made(sender="12345").check()

    assert not check.ok
    assert "does not exist" in check.text
