"""Mailchimp Transactional: how letters share calls, what its answers mean, what it tells later and when asked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr, ValidationError

from channels.base import (
    Accepted,
    BadHook,
    Category,
    HookRequest,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Told,
    Unavailable,
)
from channels.email import mailchimp_transactional_receipts
from channels.email.mailchimp_transactional import (
    MailchimpTransactional,
    MailchimpTransactionalConfig,
)
from channels.http import ProviderHttp
from tests.simulators.base import Fault
from tests.simulators.mailchimp_transactional import (
    HOOK_URL,
    TOKEN,
    WEBHOOK_KEY,
    MailchimpTransactionalSimulator,
    event,
    hook,
)

Simulator = MailchimpTransactionalSimulator

# Computed for this project and checked against django-anymail 15.2.
VECTOR = (
    '[{"event":"hard_bounce","ts":1793527200,"_id":"e9a1","msg":{"_id":"e9a1",'
    '"email":"anna@example.com","state":"bounced","metadata":{"delivery":"key-anna"},'
    '"bounce_description":"bad_mailbox","diag":"550 <anna@example.com> unknown"}}]'
)
VECTOR_SIGNATURE = "HXIAVMOs92inMvzj7j87CGfNQEw="


def message(name: str = "anna", **changes: Any) -> Message:
    known = Message(
        key=f"key-{name}",
        to=f"{name}@example.com",
        subject=f"Заказ для {name}",
        text=f"Заказ для {name} принят",
        html=f"<p>Заказ для {name} принят</p>",
    )
    return replace(known, **changes)


def several(count: int, **changes: Any) -> list[Message]:
    return [message(f"n{i}", **changes) for i in range(count)]


def settings(simulator: Simulator, **changes: Any) -> MailchimpTransactionalConfig:
    given = {
        "token": TOKEN,
        "from": "Ромашка <shop@example.com>",
        "base_url": simulator.base_url,
        "hook_url": HOOK_URL,
        "webhook_key": WEBHOOK_KEY,
    }
    return MailchimpTransactionalConfig.model_validate(given | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def mandrill(simulator: Simulator, http: ProviderHttp) -> MailchimpTransactional:
    return MailchimpTransactional(settings(simulator), http)


class TestCalls:
    async def test_carry_ten_letters_that_differ(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        messages = several(25)
        calls = mandrill.split(messages)

        for call in calls:
            await mandrill.send(call)

        assert [len(call) for call in calls] == [10, 10, 5]
        assert [(s.to, s.subject, s.text, s.html) for s in simulator.sent] == [
            (m.to, m.subject, m.text, m.html) for m in messages
        ]
        assert [s.extra["metadata"] for s in simulator.sent] == [
            {"delivery": m.key} for m in messages
        ]

    async def test_show_nobody_the_others(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        await mandrill.send([message(to_name="Анна\nИванова"), message("boris")])

        [call] = simulator.calls
        assert call["async"] is False
        assert call["message"]["preserve_recipients"] is False
        assert call["message"]["to"] == [
            {"email": "anna@example.com", "type": "to", "name": "Анна Иванова"},
            {"email": "boris@example.com", "type": "to"},
        ]

    async def test_carry_equal_content_once_and_merge_nothing(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        messages = several(10, subject="Скидки", text="Скидки", html="<p>Скидки</p>")

        await mandrill.send(messages)

        [call] = simulator.calls
        assert call["message"]["html"] == "<p>Скидки</p>"
        assert call["message"]["merge"] is False
        assert "merge_vars" not in call["message"]

    async def test_leave_tags_in_letters_as_they_are(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        messages = [
            *several(3),
            message("tag", text="Пишите *|LETTER_SUBJECT|* в шаблоне"),
            message("name", to_name="*|EMAIL|*"),
        ]

        calls = mandrill.split(messages)
        for call in calls:
            await mandrill.send(call)

        assert sorted(map(len, calls)) == [1, 1, 3]
        assert {s.to: s.text for s in simulator.sent} == {m.to: m.text for m in messages}

    async def test_of_equal_letters_with_tags_are_shared(
        self, mandrill: MailchimpTransactional
    ) -> None:
        messages = several(10, subject="*|A|*", text="*|A|*", html="")

        assert mandrill.split(messages) == [messages]

    def test_do_not_mix_letters_with_and_without_html(
        self, mandrill: MailchimpTransactional
    ) -> None:
        calls = mandrill.split([message("a"), message("b", html=""), message("c")])

        assert [[m.key for m in call] for call in calls] == [["key-a", "key-c"], ["key-b"]]

    def test_hold_an_address_once_whatever_its_case(self, mandrill: MailchimpTransactional) -> None:
        calls = mandrill.split([message("a"), message("b"), message("c", to="A@example.com")])

        assert [[m.key for m in call] for call in calls] == [["key-a", "key-b"], ["key-c"]]

    async def test_with_a_link_to_unsubscribe_are_of_one_letter_with_its_headers(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        messages = [
            message(name, unsubscribe_url=f"https://магазин.рф/u/{name}") for name in ("a", "b")
        ]

        calls = mandrill.split(messages)
        await mandrill.send(calls[1])

        assert [len(call) for call in calls] == [1, 1]
        assert simulator.calls[0]["message"]["headers"] == {
            "List-Unsubscribe": "<https://xn--80aairftm.xn--p1ai/u/b>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }

    async def test_with_codes_go_first_and_are_not_kept(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        messages = [message("a", category=Category.SECURITY), message("b")]

        for call in mandrill.split(messages):
            await mandrill.send(call)

        code, order = (call["message"] for call in simulator.calls)
        assert (code["important"], code["view_content_link"]) == (True, False)
        assert not order["important"]
        assert "view_content_link" not in order

    async def test_say_who_and_how(self, simulator: Simulator, http: ProviderHttp) -> None:
        config = settings(
            simulator,
            subaccount="shop",
            track_read=True,
            reply_to="Помощь <help@example.com>",
        )

        await MailchimpTransactional(config, http).send([message()])

        sent = simulator.calls[0]["message"]
        assert (sent["from_email"], sent["from_name"]) == ("shop@example.com", "Ромашка")
        assert sent["headers"] == {"Reply-To": "help@example.com"}
        assert (sent["subaccount"], sent["track_opens"], sent["track_clicks"]) == (
            "shop",
            True,
            False,
        )


class TestAnswers:
    @pytest.mark.parametrize(
        ("why", "scope", "suppress"),
        [
            ("hard-bounce", Scope.RECIPIENT, True),
            ("spam", Scope.RECIPIENT, True),
            ("invalid", Scope.RECIPIENT, True),
            ("custom", Scope.RECIPIENT, True),
            ("unsub", Scope.RECIPIENT, False),
            ("soft-bounce", Scope.RECIPIENT, False),
            ("invalid-sender", Scope.ACCOUNT, True),
            ("unsigned", Scope.ACCOUNT, True),
            ("test-mode-limit", Scope.ACCOUNT, True),
            ("rule", Scope.MESSAGE, True),
            ("something-new", Scope.RECIPIENT, False),
        ],
    )
    async def test_per_address(
        self,
        mandrill: MailchimpTransactional,
        simulator: Simulator,
        why: str,
        scope: Scope,
        suppress: bool,
    ) -> None:
        simulator.denied["n1@example.com"] = why

        first, refused, third = await mandrill.send(several(3))

        assert isinstance(first, Accepted)
        assert isinstance(third, Accepted)
        assert isinstance(refused, Refused)
        assert (refused.scope, refused.code, refused.suppress) == (scope, why, suppress)

    async def test_that_an_address_is_none_give_it_up(
        self, mandrill: MailchimpTransactional
    ) -> None:
        [outcome] = await mandrill.send([message(to="nobody")])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code, outcome.suppress) == (Scope.RECIPIENT, "invalid", True)

    @pytest.mark.parametrize(
        "why",
        [
            "attachments",
            "multiple-recipients",
            "hourly-quota-exhausted",
            "sending-backlogged",
            "something-new",
        ],
    )
    async def test_that_a_letter_waits_its_turn_are_good(
        self, mandrill: MailchimpTransactional, simulator: Simulator, why: str
    ) -> None:
        simulator.held = why

        [outcome] = await mandrill.send([message()])

        assert isinstance(outcome, Accepted)
        assert outcome.provider_id

    @pytest.mark.parametrize(
        "why",
        [
            "free-trial-sends-exhausted",
            "monthly-limit-reached",
            "sending-paused",
            "sending-suspended",
            "account-suspended",
        ],
    )
    async def test_that_nothing_leaves_blame_the_account(
        self, mandrill: MailchimpTransactional, simulator: Simulator, why: str
    ) -> None:
        simulator.held = why

        [outcome] = await mandrill.send([message()])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, why)

    @pytest.mark.parametrize(
        ("name", "status", "scope"),
        [
            ("Invalid_Key", 401, Scope.ACCOUNT),
            # As version 1.0 answered every error.
            ("Invalid_Key", 500, Scope.ACCOUNT),
            ("ValidationError", 500, Scope.MESSAGE),
            ("PaymentRequired", 402, Scope.ACCOUNT),
            ("Unknown_Subaccount", 404, Scope.ACCOUNT),
            ("Unknown_Template", 404, Scope.MESSAGE),
            ("ValidationError", 422, Scope.MESSAGE),
            ("Something_New", 403, Scope.ACCOUNT),
            ("Something_New", 400, Scope.MESSAGE),
        ],
    )
    async def test_with_a_name(
        self,
        mandrill: MailchimpTransactional,
        simulator: Simulator,
        name: str,
        status: int,
        scope: Scope,
    ) -> None:
        body = f'{{"status":"error","code":-1,"name":"{name}","message":"Why"}}'
        simulator.fault = Fault(status=status, body=body, content_type="application/json")

        [outcome] = await mandrill.send([message()])

        assert outcome == Refused(scope, name, f"{name}: Why")

    async def test_with_an_unknown_error_of_theirs_may_mean_that_it_was_sent(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        body = '{"status":"error","code":-1,"name":"Something_New","message":"Why"}'
        simulator.fault = Fault(status=500, body=body, content_type="application/json")

        [outcome] = await mandrill.send([message()])

        assert isinstance(outcome, Retry)
        assert outcome.maybe_sent

    async def test_that_blame_one_letter_of_ten_are_looked_into(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        simulator.bad_text = "n3 принят"

        outcomes = await mandrill.send(several(10))

        assert [i for i, o in enumerate(outcomes) if isinstance(o, Refused)] == [3]
        assert len(simulator.sent) == 9

    async def test_that_a_rule_stopped_all_are_not_asked_again(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        simulator.denied = {f"n{i}@example.com": "rule" for i in range(3)}

        await mandrill.send(several(3))

        assert simulator.requests == 1

    async def test_leave_out_an_address_and_nobody_knows(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        simulator.fault = Fault(
            status=200,
            body='[{"email": "N0@example.com", "status": "sent", "_id": "e9a1"}]',
            content_type="application/json",
        )

        first, second = await mandrill.send(several(2))

        assert first == Accepted("e9a1")
        assert isinstance(second, Retry)
        assert second.maybe_sent

    async def test_are_not_needed_for_a_subject_that_is_too_long(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        outcomes = await mandrill.send([message("a", subject="я" * 999), message("b")])

        assert [type(outcome) for outcome in outcomes] == [Refused, Accepted]
        assert simulator.requests == 1


class TestReceipts:
    def test_are_signed_as_known(self) -> None:
        body = urlencode({"mandrill_events": VECTOR}).encode()
        request = HookRequest("POST", {"x-mandrill-signature": VECTOR_SIGNATURE}, {}, body)

        told = mailchimp_transactional_receipts.read(request, HOOK_URL, SecretStr(WEBHOOK_KEY))

        assert told.receipts == [
            Receipt(
                ReceiptStatus.BOUNCED,
                provider_id="e9a1",
                key="key-anna",
                code="bad_mailbox",
                text="550 <(address)> unknown",
                at=datetime(2026, 11, 1, 10, tzinfo=UTC),
            )
        ]

    @pytest.mark.parametrize(
        ("name", "details", "expected"),
        [
            ("send", {}, [ReceiptStatus.SENT]),
            ("delivered", {}, [ReceiptStatus.DELIVERED]),
            ("deferral", {}, [ReceiptStatus.DEFERRED]),
            ("hard_bounce", {}, [ReceiptStatus.BOUNCED]),
            ("soft_bounce", {"bounce_description": "mailbox_full"}, [ReceiptStatus.FAILED]),
            ("open", {}, [ReceiptStatus.READ]),
            ("click", {}, [ReceiptStatus.CLICKED]),
            ("spam", {}, [ReceiptStatus.COMPLAINED]),
            ("unsub", {}, [ReceiptStatus.UNSUBSCRIBED]),
            ("reject", {}, [ReceiptStatus.FAILED]),
            ("reject", {"reject": {"reason": "hard-bounce"}}, [ReceiptStatus.BOUNCED]),
            ("reject", {"reject": {"reason": "spam"}}, [ReceiptStatus.COMPLAINED]),
            ("reject", {"reject": {"reason": "soft-bounce"}}, [ReceiptStatus.FAILED]),
            (
                "reject",
                {"reject": {"reason": "unsub"}},
                [ReceiptStatus.FAILED, ReceiptStatus.UNSUBSCRIBED],
            ),
            ("inbound", {}, []),
            ("event_of_tomorrow", {}, []),
        ],
    )
    async def test_say_what_became_of_the_letter(
        self,
        mandrill: MailchimpTransactional,
        simulator: Simulator,
        name: str,
        details: dict[str, Any],
        expected: list[ReceiptStatus],
    ) -> None:
        [outcome] = await mandrill.send([message()])
        assert isinstance(outcome, Accepted)

        receipts = mandrill.read_hook(hook(event(simulator.sent[0], name, **details))).receipts

        assert [receipt.status for receipt in receipts] == expected
        assert {(r.key, r.provider_id) for r in receipts} <= {("key-anna", outcome.provider_id)}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, [ReceiptStatus.BOUNCED]),
            ({"type": "denylist", "action": "change"}, [ReceiptStatus.BOUNCED]),
            ({"reject": {"reason": "spam"}}, [ReceiptStatus.COMPLAINED]),
            ({"reject": {"reason": "unsub"}}, [ReceiptStatus.UNSUBSCRIBED]),
            ({"reject": {"reason": "custom", "detail": "asked"}}, [ReceiptStatus.BOUNCED]),
            ({"reject": {"reason": "soft-bounce"}}, []),
            ({"reject": {"expired": True}}, []),
            ({"reject": {"email": "nobody"}}, []),
            ({"reject": 7}, []),
            ({"action": "remove"}, []),
            ({"type": "whitelist"}, []),
        ],
    )
    def test_of_lists_name_the_address(
        self,
        mandrill: MailchimpTransactional,
        change: dict[str, Any],
        expected: list[ReceiptStatus],
    ) -> None:
        entry: Any = {"reason": "hard-bounce", "email": "Anna@EXAMPLE.com", "expired": False}
        said: dict[str, Any] = {"type": "blacklist", "action": "add", "ts": 1793527200}
        changed = change.get("reject", {})
        said |= {"reject": entry | changed if isinstance(changed, dict) else changed}
        said |= {name: value for name, value in change.items() if name != "reject"}

        receipts = mandrill.read_hook(hook(said)).receipts

        assert [receipt.status for receipt in receipts] == expected
        assert all(r.address == "Anna@example.com" and not r.key for r in receipts)

    def test_of_other_programs_are_passed_over(self, mandrill: MailchimpTransactional) -> None:
        strange: list[Any] = [
            None,
            7,
            {},
            {"event": "open"},
            {"event": "open", "msg": {"metadata": []}},
            {"event": "open", "msg": {"metadata": {"delivery": 7}}},
            {"event": ["open"], "msg": {"metadata": {"delivery": "k"}}},
            {"event": "open", "ts": 1e400, "msg": {"metadata": {"delivery": "k"}}},
        ]

        receipts = mandrill.read_hook(hook(*strange)).receipts

        assert receipts == [Receipt(ReceiptStatus.READ, key="k", code="open")]

    @pytest.mark.parametrize("wrong", [None, 7, [], ["blacklist"], {}, {"a": ["b"]}, "x" * 9000])
    @pytest.mark.parametrize("where", ["type", "event", "msg", "reject", "action", "ts", "_id"])
    def test_one_that_is_rubbish_takes_no_other_with_it(
        self, mandrill: MailchimpTransactional, where: str, wrong: Any
    ) -> None:
        good = {"event": "open", "ts": 1793527200, "msg": {"metadata": {"delivery": "k"}}}
        entry = {"reason": "spam", "email": "boris@example.com"}
        listed = {"type": "blacklist", "action": "add", "reject": entry}

        told = mandrill.read_hook(hook(good | {where: wrong}, listed | {where: wrong}, good))

        at = datetime(2026, 11, 1, 10, tzinfo=UTC)
        assert told.receipts[-1] == Receipt(ReceiptStatus.READ, key="k", code="open", at=at)

    def test_those_that_have_no_form_are_counted(self, mandrill: MailchimpTransactional) -> None:
        strange: list[Any] = [
            *(None, 7, [], {}, {"type": ["blacklist"]}, {"event": ["open"], "msg": {}}),
            *({"event": "open"}, {"event": "open", "msg": [7]}),
        ]
        others: list[Any] = [{"event": "inbound", "msg": {}}, {"type": "whitelist"}]

        told = mandrill.read_hook(hook(*strange, *others))

        assert told == Told([], left_out=len(strange))

    async def test_count_only_with_the_signature_of_this_address_and_body(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        await mandrill.send([message()])
        good = hook(event(simulator.sent[0], "open"), also="1")
        assert mandrill.read_hook(good).receipts

        for bad in (
            hook(event(simulator.sent[0], "open"), url=f"{HOOK_URL}/"),
            replace(good, body=good.body.replace(b"also=1", b"also=2")),
            replace(good, headers={}),
            replace(good, headers={"x-mandrill-signature": "é\udcff"}),
        ):
            with pytest.raises(BadHook) as refused:
                mandrill.read_hook(bad)
            assert refused.value.forged

    def test_cannot_be_checked_without_a_key(
        self, simulator: Simulator, http: ProviderHttp
    ) -> None:
        config = settings(simulator, hook_url="", webhook_key=None)

        with pytest.raises(BadHook, match="webhook_key is not set") as refused:
            MailchimpTransactional(config, http).read_hook(hook({"event": "open"}))

        assert refused.value.forged

    async def test_are_signed_over_the_hubs_own_address_where_none_is_set(
        self, simulator: Simulator, http: ProviderHttp
    ) -> None:
        adapter = MailchimpTransactional(settings(simulator, hook_url=""), http)
        await adapter.send([message()])
        call = hook(event(simulator.sent[0], "open"))

        told = adapter.read_hook(replace(call, url=HOOK_URL))

        assert [receipt.status for receipt in told.receipts] == [ReceiptStatus.READ]
        with pytest.raises(BadHook):
            adapter.read_hook(replace(call, url="https://elsewhere.example/"))

    def test_url_is_there_when_it_is_registered(
        self, simulator: Simulator, http: ProviderHttp
    ) -> None:
        adapter = MailchimpTransactional(settings(simulator, hook_url="", webhook_key=None), http)

        assert adapter.read_hook(HookRequest("HEAD", {}, {}, b"")) == Told()
        assert adapter.read_hook(hook(key="test-webhook")) == Told()

    @pytest.mark.parametrize(
        "body", [b"", b"mandrill_events=", b"mandrill_events=7", b"mandrill_events=%ff", b"a=b"]
    )
    def test_that_cannot_be_read_are_bad(
        self, mandrill: MailchimpTransactional, body: bytes
    ) -> None:
        with pytest.raises(BadHook):
            mandrill.read_hook(HookRequest("POST", {}, {}, body))


class TestAsking:
    @pytest.mark.parametrize(
        ("info", "expected"),
        [
            ({}, [ReceiptStatus.SENT]),
            ({"state": "queued"}, [ReceiptStatus.DEFERRED]),
            ({"state": "scheduled"}, [ReceiptStatus.DEFERRED]),
            ({"state": "bounced"}, [ReceiptStatus.FAILED]),
            (
                {"state": "bounced", "bounce_description": "bad_mailbox"},
                [ReceiptStatus.BOUNCED],
            ),
            ({"state": "soft-bounced"}, [ReceiptStatus.FAILED]),
            ({"state": "rejected", "reject": {"reason": "spam"}}, [ReceiptStatus.COMPLAINED]),
            ({"state": "rejected", "reject": {"reason": "unsub"}}, [ReceiptStatus.FAILED]),
            ({"state": "canceled"}, [ReceiptStatus.FAILED]),
            ({"state": "state_of_tomorrow"}, []),
            ({"smtp_events": [None, {"type": "sent", "diag": "250"}]}, [ReceiptStatus.SENT]),
            # Taken by the server, sent back later.
            ({"state": "bounced", "smtp_events": [{"type": "delivered"}]}, [ReceiptStatus.FAILED]),
        ],
    )
    async def test_tells_the_state_of_each(
        self,
        mandrill: MailchimpTransactional,
        simulator: Simulator,
        info: dict[str, Any],
        expected: list[ReceiptStatus],
    ) -> None:
        await mandrill.send([message()])
        [letter] = simulator.sent
        simulator.smtp[letter.provider_id] = info

        receipts = await mandrill.ask([asked(letter.provider_id)])

        assert [receipt.status for receipt in receipts] == expected

    async def test_tells_when_it_was_delivered(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        await mandrill.send([message()])
        [letter] = simulator.sent
        simulator.delivers(letter)

        assert await mandrill.ask([asked(letter.provider_id)]) == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id=letter.provider_id,
                key="key-anna",
                code="sent",
                text="250 OK",
                at=datetime(2026, 11, 1, 10, tzinfo=UTC),
            )
        ]

    async def test_of_a_letter_that_they_do_not_know_yet_is_no_news(
        self, mandrill: MailchimpTransactional
    ) -> None:
        assert await mandrill.ask([asked("not-there")]) == []

    async def test_keeps_what_it_learned_before_they_fell_silent(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        said = '{"state": "sent", "smtp_events": [{"type": "delivered"}]}'
        simulator.faults += [
            Fault(status=200, body=said, content_type="application/json"),
            Fault(status=503),
        ]

        receipts = await mandrill.ask([asked("first"), asked("second"), asked("third")])

        assert [receipt.provider_id for receipt in receipts] == ["first"]
        assert simulator.requests == 2

    async def test_with_a_wrong_key_says_so(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        simulator.token = "another"

        with pytest.raises(Unavailable, match="Invalid_Key"):
            await mandrill.ask([asked("e9a1")])


def asked(provider_id: str) -> Sent:
    return Sent("key-anna", provider_id, "anna@example.com", datetime.now(UTC))


class TestCheck:
    async def test_says_that_the_domain_may_send(self, mandrill: MailchimpTransactional) -> None:
        check = await mandrill.check()

        assert check.ok
        assert "example.com may send" in check.text

    @pytest.mark.parametrize(
        ("domains", "text"),
        [
            ({"example.com": False}, "not verified"),
            ({"other.example": True}, "not among"),
            ({}, "not among"),
        ],
    )
    async def test_says_what_the_domain_lacks(
        self,
        mandrill: MailchimpTransactional,
        simulator: Simulator,
        domains: dict[str, bool],
        text: str,
    ) -> None:
        simulator.domains = domains

        check = await mandrill.check()

        assert not check.ok
        assert text in check.text

    async def test_is_content_with_a_key_that_may_not_list_domains(
        self, mandrill: MailchimpTransactional, simulator: Simulator
    ) -> None:
        simulator.hidden_methods.add("senders/domains")

        check = await mandrill.check()

        assert check.ok
        assert "could not be asked" in check.text


class TestSettings:
    @pytest.mark.parametrize(
        "given",
        [
            {"token": ""},
            {"from": "shop@gmail.com"},
            {"hook_url": "hub.example/hooks/m1", "webhook_key": "key"},
        ],
    )
    def test_wrong_ones_are_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            MailchimpTransactionalConfig.model_validate(
                {"token": "t", "from": "shop@example.com"} | given
            )
