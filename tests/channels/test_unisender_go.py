"""Unisender Go: how letters are put into calls, what its answers mean, what it tells later."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from channels.base import (
    Accepted,
    BadHook,
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
from channels.email import unisender_go_hook, unisender_go_sender
from channels.email.unisender_go import UnisenderGo, UnisenderGoConfig
from channels.http import ProviderHttp
from tests.simulators.base import Fault
from tests.simulators.unisender_go import TOKEN, UnisenderGoSimulator, event, signed

# Computed for this project and checked against django-anymail 15.2.
VECTOR = (
    '{"auth":"b400b14509058bded4536759c101f785","events_by_user":[{"user_id":1,"events":'
    '[{"event_name":"transactional_email_status","event_data":{"job_id":"1ZymBc-00041N-9X",'
    '"metadata":{"anymail_id":"d-42"},"email":"a@example.com","status":"delivered",'
    '"event_time":"2026-11-01 10:00:00","url":""}}]}]}'
)


def message(name: str = "anna", **changes: Any) -> Message:
    known = Message(
        key=f"key-{name}",
        to=f"{name}@example.com",
        subject=f"Заказ для {name}",
        text=f"Заказ для {name} принят",
        html=f"<p>Заказ для {name} принят</p>",
        batch_key="batch-1",
    )
    return replace(known, **changes)


def several(count: int, **changes: Any) -> list[Message]:
    return [message(f"n{i}", **changes) for i in range(count)]


def settings(simulator: UnisenderGoSimulator, **changes: Any) -> UnisenderGoConfig:
    given = {"token": TOKEN, "from": "shop@example.com", "base_url": simulator.base_url}
    return UnisenderGoConfig.model_validate(given | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[UnisenderGoSimulator]:
    async with UnisenderGoSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def go(simulator: UnisenderGoSimulator, http: ProviderHttp) -> UnisenderGo:
    return UnisenderGo(settings(simulator), http)


class TestCalls:
    async def test_carry_letters_that_differ(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        messages = several(3)
        [call] = go.split(messages)

        await go.send(call)

        assert [(s.to, s.subject, s.text, s.html) for s in simulator.sent] == [
            (m.to, m.subject, m.text, m.html) for m in messages
        ]
        assert simulator.calls[0]["template_engine"] == "simple"

    async def test_carry_equal_content_once(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        html = "<p>" + "я" * 50_000 + "</p>"
        messages = several(500, subject="Скидки", text="Скидки", html=html)
        [call] = go.split(messages)

        outcomes = await go.send(call)

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert simulator.calls[0]["body"]["html"] == html
        assert "substitutions" not in simulator.calls[0]["recipients"][0]

    async def test_leave_braces_as_they_are(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        messages = [*several(3), message("vue", text="Пишите {{subject}} в шаблоне")]

        calls = go.split(messages)
        for call in calls:
            await go.send(call)

        assert sorted(map(len, calls)) == [1, 3]
        assert {s.to: s.text for s in simulator.sent} == {m.to: m.text for m in messages}

    def test_hold_500_at_most(self, go: UnisenderGo) -> None:
        assert [len(call) for call in go.split(several(1200))] == [500, 500, 200]

    async def test_stay_under_ten_megabytes(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        messages = [message(f"n{i}", html=f"<p>{i}</p>" + 'я"\n' * 100_000) for i in range(40)]
        calls = go.split(messages)

        outcomes = list(chain.from_iterable([await go.send(call) for call in calls]))

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert 1 < len(calls) < 10

    def test_hold_an_address_once_whatever_its_case(self, go: UnisenderGo) -> None:
        messages = [message("a"), message("b"), message("c", to="A@Example.com"), message("d")]

        calls = go.split(messages)

        assert [[m.key for m in call] for call in calls] == [
            ["key-a", "key-b"],
            ["key-c", "key-d"],
        ]

    def test_do_not_mix_letters_with_and_without_html(self, go: UnisenderGo) -> None:
        calls = go.split([message("a"), message("b", html=""), message("c")])

        assert [[m.key for m in call] for call in calls] == [["key-a", "key-c"], ["key-b"]]

    async def test_of_a_repeated_batch_have_the_same_key(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        first, other = several(2), several(2, batch_key="batch-2")
        assert go.split([*first, *other])[:1] == [first]

        await go.send(first)
        again = await go.send(list(reversed(first)))

        assert again == [Accepted(), Accepted()]
        assert len(simulator.sent) == 2

    def test_of_a_repeated_batch_are_the_same_beside_others(self, go: UnisenderGo) -> None:
        batch = [*several(10, subject="Скидки", text="Скидки", html="<p>Скидки</p>"), message()]
        others = [
            message(
                f"o{i}", batch_key="batch-2", subject="Скидки", text="Скидки", html="<p>Скидки</p>"
            )
            for i in range(30)
        ]

        assert go.split(batch) == [batch]
        assert batch in go.split([*batch, *others])

    async def test_say_who_and_how(
        self, simulator: UnisenderGoSimulator, http: ProviderHttp
    ) -> None:
        config = settings(
            simulator,
            skip_unsubscribe=1,
            track_read=True,
            reply_to="Помощь <help@example.com>",
            **{"from": "Ромашка, ООО <shop@example.com>"},
        )

        await UnisenderGo(config, http).send([message(to_name="Иванова, Анна")])

        [call] = simulator.calls
        assert (call["skip_unsubscribe"], call["track_read"], call["track_links"]) == (1, 1, 0)
        assert (call["from_email"], call["reply_to"]) == ("shop@example.com", "help@example.com")
        assert call["reply_to_name"] == "Помощь"
        # A comma would split the name in two.
        assert call["from_name"].startswith("=?utf-8?")
        assert call["recipients"][0]["substitutions"]["to_name"].startswith("=?utf-8?")
        assert call["recipients"][0]["metadata"] == {"delivery": "key-anna"}


class TestAnswers:
    @pytest.mark.parametrize(
        ("word", "suppress"),
        [
            ("invalid", True),
            ("permanent_unavailable", True),
            ("complained", True),
            ("blocked", True),
            ("unsubscribed", False),
            ("temporary_unavailable", False),
            ("something_new", False),
        ],
    )
    async def test_per_address(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator, word: str, suppress: bool
    ) -> None:
        simulator.failed["n1@example.com"] = word

        outcomes = await go.send(several(3))

        assert isinstance(outcomes[0], Accepted)
        assert isinstance(outcomes[2], Accepted)
        refused = outcomes[1]
        assert isinstance(refused, Refused)
        assert (refused.scope, refused.code) == (Scope.RECIPIENT, word)
        assert refused.suppress is suppress

    async def test_that_all_failed_name_each(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.failed = {"n0@example.com": "invalid", "n1@example.com": "unsubscribed"}

        first, second = await go.send(several(2))

        assert isinstance(first, Refused)
        assert isinstance(second, Refused)
        assert (first.code, second.code) == ("invalid", "unsubscribed")

    async def test_that_an_address_was_a_duplicate_mean_it_was_sent(self, go: UnisenderGo) -> None:
        twice = [message("a"), message("b", to="A@example.com")]

        outcomes = await go.send(twice)

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)

    @pytest.mark.parametrize(
        ("status", "code", "scope"),
        [
            (401, 101, Scope.ACCOUNT),
            (401, 114, Scope.ACCOUNT),
            (403, 902, Scope.ACCOUNT),
            (400, 904, Scope.ACCOUNT),
            (400, 122, Scope.ACCOUNT),
            (400, 1574, Scope.ACCOUNT),
            (400, 1599, Scope.ACCOUNT),
            (400, 111, Scope.MESSAGE),
            (413, 199, Scope.MESSAGE),
            (400, 224, Scope.MESSAGE),
            (400, 1545, Scope.MESSAGE),
            (400, 204, Scope.RECIPIENT),
        ],
    )
    async def test_with_a_code(
        self,
        go: UnisenderGo,
        simulator: UnisenderGoSimulator,
        status: int,
        code: int,
        scope: Scope,
    ) -> None:
        simulator.error = (status, code)

        [outcome] = await go.send([message()])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (scope, str(code))

    async def test_5xx_with_a_code_are_waited_out(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.error = (500, 111)

        [outcome] = await go.send([message()])

        assert outcome == Retry("unisender-go-111")

    async def test_that_came_too_late_are_recognised(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.faults.append(Fault(status=504, after_taking=True))

        [first] = await go.send([message()])
        [second] = await go.send([message()])

        assert isinstance(first, Retry)
        assert first.maybe_sent
        assert second == Accepted()
        assert len(simulator.sent) == 1

    async def test_that_blame_one_letter_of_many_are_looked_into(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.bad_text = "n333 принят"

        outcomes = await go.send(several(500))

        refused = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
        assert refused == [333]
        assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 499
        assert len(simulator.sent) == 499

    async def test_that_blame_every_letter_do_not_end_in_500_calls(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.bad_text = "принят"

        outcomes = await go.send(several(500))

        assert simulator.requests <= 20
        assert not any(isinstance(outcome, Accepted) for outcome in outcomes)
        assert not any(isinstance(outcome, Retry) and outcome.maybe_sent for outcome in outcomes)


def hook(body: bytes, method: str = "POST") -> HookRequest:
    return HookRequest(method, {"content-type": "application/json"}, {}, body)


class TestReceipts:
    async def test_name_the_delivery(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        [outcome] = await go.send([message()])
        assert isinstance(outcome, Accepted)

        told = go.read_hook(
            hook(simulator.receipt(event(simulator.sent[0], "delivered", "ok_delivered", "250 Ok")))
        )

        assert told.receipts == [
            Receipt(
                ReceiptStatus.DELIVERED,
                provider_id=outcome.provider_id,
                key="key-anna",
                code="ok_delivered",
                text="250 Ok",
                at=datetime(2026, 11, 1, 10, tzinfo=UTC),
            )
        ]
        assert told.reply.status == 200
        assert isinstance(go, ReadsHooks)

    @pytest.mark.parametrize(
        ("status", "why", "expected"),
        [
            ("accepted", "", [ReceiptStatus.SENT]),
            ("sent", "ok_sent", [ReceiptStatus.SENT]),
            ("delivered", "", [ReceiptStatus.DELIVERED]),
            ("opened", "ok_read", [ReceiptStatus.READ]),
            ("clicked", "", [ReceiptStatus.CLICKED]),
            ("unsubscribed", "ok_unsubscribed", [ReceiptStatus.UNSUBSCRIBED]),
            ("subscribed", "", []),
            ("spam", "ok_fbl", [ReceiptStatus.COMPLAINED]),
            ("soft_bounced", "err_will_retry", [ReceiptStatus.DEFERRED]),
            ("soft_bounced", "err_lost", [ReceiptStatus.LOST]),
            ("hard_bounced", "", [ReceiptStatus.BOUNCED]),
            ("hard_bounced", "err_user_unknown", [ReceiptStatus.BOUNCED]),
            ("hard_bounced", "err_user_inactive", [ReceiptStatus.BOUNCED]),
            ("hard_bounced", "err_mailbox_discarded", [ReceiptStatus.BOUNCED]),
            ("hard_bounced", "skip_dup_unreachable", [ReceiptStatus.BOUNCED]),
            ("hard_bounced", "err_spam_rejected", [ReceiptStatus.FAILED]),
            ("hard_bounced", "err_mailbox_full", [ReceiptStatus.FAILED]),
            ("hard_bounced", "skip_dup_temp_unreachable", [ReceiptStatus.FAILED]),
            ("hard_bounced", "err_of_tomorrow", [ReceiptStatus.FAILED]),
            ("hard_bounced", "err_internal", [ReceiptStatus.LOST]),
            (
                "hard_bounced",
                "err_unsubscribed",
                [ReceiptStatus.FAILED, ReceiptStatus.UNSUBSCRIBED],
            ),
            ("delivered", "ok_spam_folder", [ReceiptStatus.DELIVERED, ReceiptStatus.UNSUBSCRIBED]),
            ("status_of_tomorrow", "", []),
        ],
    )
    async def test_say_what_became_of_the_letter(
        self,
        go: UnisenderGo,
        simulator: UnisenderGoSimulator,
        status: str,
        why: str,
        expected: list[ReceiptStatus],
    ) -> None:
        await go.send([message()])

        receipts = go.read_hook(
            hook(simulator.receipt(event(simulator.sent[0], status, why)))
        ).receipts

        assert [receipt.status for receipt in receipts] == expected

    async def test_come_many_at_once_packed_or_alone(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        await go.send(several(3))
        events = [event(sent, "delivered") for sent in simulator.sent]

        packed = go.read_hook(hook(simulator.receipt(*events, packed=True))).receipts
        alone = go.read_hook(hook(simulator.receipt(events[1], single=True))).receipts

        assert [receipt.key for receipt in packed] == ["key-n0", "key-n1", "key-n2"]
        assert [receipt.key for receipt in alone] == ["key-n1"]

    async def test_do_not_quote_the_address(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        await go.send([message()])
        said = event(
            simulator.sent[0], "hard_bounced", "err_user_unknown", "550 <anna@example.com> unknown"
        )

        [receipt] = go.read_hook(hook(simulator.receipt(said))).receipts

        assert receipt.text == "550 <(address)> unknown"

    def test_of_other_programs_and_other_events_are_passed_over(self, go: UnisenderGo) -> None:
        strange: list[Any] = [
            {"event_name": "transactional_spam_block", "event_data": {"domain": "x"}},
            {"event_name": "transactional_email_status", "event_data": {"metadata": []}},
            {"event_name": "transactional_email_status", "event_data": 7},
            {"event_name": "transactional_email_status", "event_data": {"status": "sent"}},
            {"event_data": {"metadata": {"delivery": 5}, "status": "sent"}},
            None,
            {
                "event_data": {
                    "metadata": {"delivery": "k"},
                    "status": "sent",
                    "event_time": "yesterday",
                    "delivery_info": [],
                }
            },
        ]
        body = signed({"auth": "", "events_by_user": [{"events": strange}]}, TOKEN)

        receipts = go.read_hook(hook(body)).receipts

        assert receipts == [Receipt(ReceiptStatus.SENT, provider_id=":k", key="k")]

    def test_are_signed_as_known(self) -> None:
        receipts = unisender_go_hook.read(hook(VECTOR.encode()), SecretStr("test-key-1")).receipts

        # Of somebody else's letter, so there is nothing in it for us.
        assert receipts == []

    @pytest.mark.parametrize(
        "body",
        [
            VECTOR.replace("b400", "b401"),
            VECTOR.replace("a@example.com", "b@example.com"),
            VECTOR.replace('"auth":"b400b14509058bded4536759c101f785",', ""),
            VECTOR.replace(":1,", ": 1,"),
            "",
            "[]",
        ],
    )
    def test_with_another_signature_are_forged(self, body: str) -> None:
        with pytest.raises(BadHook) as bad:
            unisender_go_hook.read(hook(body.encode()), SecretStr("test-key-1"))

        assert bad.value.forged

    @pytest.mark.parametrize(
        "body",
        [
            {"events_by_user": {}},
            {"events_by_user": [7]},
            {"events_by_user": [{"events": None}]},
        ],
    )
    def test_that_are_signed_nonsense_are_bad(self, go: UnisenderGo, body: dict[str, Any]) -> None:
        with pytest.raises(BadHook) as bad:
            go.read_hook(hook(signed(body, TOKEN)))

        assert not bad.value.forged

    @pytest.mark.parametrize("user", [None, 7, [], {}, {"events": None}, {"events": [7]}])
    def test_of_a_user_that_is_rubbish_take_no_others_with_them(
        self, go: UnisenderGo, user: Any
    ) -> None:
        data = {"job_id": "j", "metadata": {"delivery": "k"}, "status": "opened"}
        good = {"event_name": "transactional_email_status", "event_data": data}

        told = go.read_hook(hook(signed({"events_by_user": [user, {"events": [good]}]}, TOKEN)))

        assert [(r.status, r.key) for r in told.receipts] == [(ReceiptStatus.READ, "k")]
        assert told.left_out == 1

    def test_that_are_signed_but_no_json_are_bad(self, go: UnisenderGo) -> None:
        raw = '"auth":"%s" and more'
        auth = hashlib.md5((raw % TOKEN).encode()).hexdigest()

        with pytest.raises(BadHook) as bad:
            go.read_hook(hook((raw % auth).encode()))

        assert not bad.value.forged

    def test_cannot_fill_the_memory(self, go: UnisenderGo) -> None:
        bomb = signed({"events_by_user": [], "more": "0" * 20_000_000}, TOKEN, packed=True)
        assert len(bomb) < 50_000

        with pytest.raises(BadHook, match="too long"):
            go.read_hook(hook(bomb))
        with pytest.raises(BadHook, match="gzip"):
            go.read_hook(hook(b"\x1f\x8b garbage"))

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_url_is_there_when_it_is_tried(self, go: UnisenderGo, method: str) -> None:
        assert go.read_hook(hook(b"", method)) == Told()


class TestSettings:
    def test_base_url_is_the_first_data_centre_unless_told(self) -> None:
        config = UnisenderGoConfig.model_validate({"token": "t", "from": "shop@example.com"})

        assert config.base_url == "https://go1.unisender.ru/ru/transactional/api/v1"

    @pytest.mark.parametrize(
        "given",
        [
            {"token": ""},
            {"from": "shop"},
            {"base_url": "go1.unisender.ru"},
            {"track_read": "perhaps"},
            {"sender": "shop@example.com"},
        ],
    )
    def test_wrong_ones_are_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            UnisenderGoConfig.model_validate({"token": "t", "from": "shop@example.com"} | given)

    async def test_of_another_data_centre_are_told_by_check(
        self, go: UnisenderGo, simulator: UnisenderGoSimulator
    ) -> None:
        simulator.token = "another"

        check = await go.check()

        assert not check.ok
        assert "114" in check.text


class TestACheckOfTheSender:
    @pytest.mark.parametrize(
        ("domains", "good", "text"),
        [
            ({"example.com": ("confirmed", "active")}, True, "; example.com is confirmed"),
            (None, True, "does not tell whether example.com is confirmed"),
            ({}, False, "not among the account's domains"),
            ({"example.com": ("not confirmed", "active")}, False, "but ownership (TXT record) of"),
            ({"example.com": ("confirmed", "inactive")}, False, "but DKIM of example.com"),
            ({"example.com": ("", "")}, False, "ownership (TXT record) and DKIM of example.com"),
        ],
    )
    async def test_tells_how_far_its_domain_is_set_up(
        self,
        go: UnisenderGo,
        simulator: UnisenderGoSimulator,
        domains: dict[str, tuple[str, str]] | None,
        good: bool,
        text: str,
    ) -> None:
        simulator.domains = domains

        check = await go.check()

        assert check.ok is good
        assert "answers for user 11344" in check.text
        assert text in check.text

    async def test_says_that_the_sandbox_is_one(
        self, simulator: UnisenderGoSimulator, http: ProviderHttp
    ) -> None:
        config = settings(simulator, **{"from": "shop@sandbox-12-ab.unionemailer.com"})

        check = await UnisenderGo(config, http).check()

        assert check.ok
        assert "test mode: sandbox-12-ab.unionemailer.com" in check.text

    @pytest.mark.parametrize("listed", ["xn--80a1acny.xn--p1ai", "почта.рф", "Почта.рф"])
    def test_knows_an_international_domain_in_either_form(self, listed: str) -> None:
        entry = {
            "domain": listed,
            "verification-record": {"status": "confirmed"},
            "dkim": {"status": "active"},
        }

        good, _ = unisender_go_sender.told({"domains": [entry]}, "xn--80a1acny.xn--p1ai")

        assert good

    @pytest.mark.parametrize(
        "entry", [None, {}, {"domain": None}, {"domain": "." * 300}, {"domain": "example.com"}]
    )
    def test_stumbles_over_nothing(self, entry: Any) -> None:
        good, text = unisender_go_sender.told({"domains": [entry]}, "example.com")

        assert not good
        assert "example.com" in text


@pytest.mark.parametrize("domain", ["mail.ru", "Yandex.ru", "gmail.com"])
def test_a_free_mailbox_is_no_sender(domain: str) -> None:
    with pytest.raises(ValidationError, match="must be of the shop's own domain"):
        UnisenderGoConfig.model_validate({"token": "t", "from": f"Ромашка <shop@{domain}>"})
