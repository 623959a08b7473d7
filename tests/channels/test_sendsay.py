"""Sendsay: what a call looks like, sessions, what its errors mean, express issues, what it tells when asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    Category,
    Message,
    ReadsHooks,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Unavailable,
)
from channels.email import sendsay_statistics
from channels.email.sendsay import Sendsay, SendsayConfig
from channels.http import ProviderHttp
from tests.simulators.base import Fault
from tests.simulators.sendsay import LOGIN, PASSWORD, SUBLOGIN, TOKEN, SendsaySimulator


def message(name: str = "anna", **changes: Any) -> Message:
    known = Message(
        key=f"key-{name}",
        to=f"{name}@example.com",
        subject=f"Заказ для {name}",
        text=f"Заказ для {name} принят",
        html=f"<p>Заказ для {name} принят</p>",
    )
    return replace(known, **changes)


def sale(count: int, **changes: Any) -> list[Message]:
    """Equal marketing letters."""
    equal = {"subject": "Скидки", "text": "Скидки", "html": "", "category": Category.MARKETING}
    return [message(f"n{i}", **(equal | changes)) for i in range(count)]


def settings(simulator: SendsaySimulator, **changes: Any) -> SendsayConfig:
    given = {
        "login": LOGIN,
        "token": TOKEN,
        "from": "Ромашка <shop@example.com>",
        "base_url": simulator.url,
    }
    return SendsayConfig.model_validate(given | changes)


@pytest.fixture
async def simulator() -> AsyncIterator[SendsaySimulator]:
    async with SendsaySimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def sendsay(simulator: SendsaySimulator, http: ProviderHttp) -> Sendsay:
    return Sendsay(settings(simulator), http)


@pytest.fixture
def by_password(simulator: SendsaySimulator, http: ProviderHttp) -> Sendsay:
    config = settings(simulator, token=None, sublogin=SUBLOGIN, password=PASSWORD)
    return Sendsay(config, http)


class TestLetters:
    async def test_are_as_documented(self, simulator: SendsaySimulator, http: ProviderHttp) -> None:
        config = settings(simulator, reply_to="Помощь <help@example.com>")

        [outcome] = await Sendsay(config, http).send([message(to_name="Анна\nИванова")])

        [call] = simulator.calls
        assert call == {
            "action": "issue.send",
            "group": "personal",
            "email": "anna@example.com",
            "to.name": "Анна Иванова",
            "sendwhen": "now",
            "letter": {
                "subject": "Заказ для anna",
                "from.email": "shop@example.com",
                "from.name": "Ромашка",
                "reply.email": "help@example.com",
                "reply.name": "Помощь",
                "message": {
                    "text": "Заказ для anna принят",
                    "html": "<p>Заказ для anna принят</p>",
                },
            },
        }
        assert outcome == Accepted(simulator.sent[0].provider_id)

    async def test_hold_nothing_that_their_template_language_would_carry_out(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        tag = "[% anketa.base.secret %]"

        await sendsay.send(
            [message(subject=f"Чайник {tag}", text=f"Чайник {tag}", html=f"<p>{tag}</p>")]
        )

        [sent] = simulator.sent
        assert sent.html == "<p>[&#37; anketa.base.secret %]</p>"
        assert sent.text.replace("\u2060", "") == f"Чайник {tag}"
        assert sent.subject.replace("\u2060", "") == f"Чайник {tag}"

    async def test_of_a_test_go_to_the_testers_alone(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        config = settings(simulator, test_to=["qa@example.com"], mass_from=2)
        adapter = Sendsay(config, http)

        for call in adapter.split(sale(3)):
            await adapter.send(call)

        assert [sent.to for sent in simulator.sent] == ["qa@example.com"] * 3
        assert {call["sendwhen"] for call in simulator.calls} == {"test"}
        assert not any("email" in call or "users.list" in call for call in simulator.calls)


class TestExpressIssues:
    def test_are_off_unless_wanted(self, sendsay: Sendsay) -> None:
        assert [len(call) for call in sendsay.split(sale(3))] == [1, 1, 1]

    async def test_carry_equal_marketing_letters(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=3), http)
        messages = [*sale(3), message("anna"), *sale(3, subject="Другое")[:2]]

        calls = adapter.split(messages)
        outcomes = [await adapter.send(call) for call in calls]

        assert [len(call) for call in calls] == [3, 1, 1, 1]
        mass = simulator.calls[0]
        assert (mass["group"], mass["letter"]["subject"]) == ("masssending", "Скидки")
        assert mass["users.list"] == (
            "member.email\nn0@example.com\nn1@example.com\nn2@example.com"
        )
        assert outcomes[0] == [Accepted(f"101:key-n{i}") for i in range(3)]
        assert simulator.calls[1]["group"] == "personal"

    def test_carry_nothing_but_marketing(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=2), http)

        calls = adapter.split(sale(3, category=Category.TRANSACTIONAL))

        assert [len(call) for call in calls] == [1, 1, 1]

    def test_hold_a_thousand_addresses_and_each_once(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=2), http)
        messages = [*sale(1500), sale(1, to="N0@example.com")[0]]

        assert [len(call) for call in adapter.split(messages)] == [1000, 501]
        assert [len(call) for call in adapter.split([messages[0], messages[-1]])] == [1, 1]

    async def test_that_are_refused_give_up_no_address(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=2), http)
        simulator.error = ("error/email", "n1@example.com has permanent delivery errors")

        first, second = await adapter.send(sale(2))

        assert first == second
        assert isinstance(first, Refused)
        assert (first.scope, first.suppress) == (Scope.RECIPIENT, False)
        assert "n1@" not in first.reason

    async def test_leave_out_who_is_not_in_the_base_and_that_stays_sent(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=2), http)
        simulator.base = {"n0@example.com"}
        await adapter.send(sale(2))
        simulator.ends(simulator.sent[0], "1")

        told = await adapter.ask([asked("n0", "101:key-n0"), asked("n1", "101:key-n1")])

        assert [(receipt.key, receipt.status) for receipt in told] == [
            ("key-n0", ReceiptStatus.DELIVERED)
        ]


class TestSignIn:
    async def test_by_key_is_in_the_header_alone(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await sendsay.send([message()])

        assert not {"apikey", "session", "passwd"} & set(simulator.calls[0])

    async def test_by_password_opens_one_session_for_all(
        self, by_password: Sendsay, simulator: SendsaySimulator
    ) -> None:
        results = await asyncio.gather(*(by_password.send([message(f"n{i}")]) for i in range(5)))

        assert all(isinstance(outcome, Accepted) for [outcome] in results)
        assert simulator.logins == 1

    async def test_without_a_user_is_the_accounts_own(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, token="", password=PASSWORD), http)

        [outcome] = await adapter.send([message()])

        assert isinstance(outcome, Accepted)
        assert "sublogin" not in simulator.calls[0]

    async def test_is_renewed_once_when_the_session_has_expired(
        self, by_password: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await by_password.send([message("first")])
        simulator.expire()

        [outcome] = await by_password.send([message("second")])

        assert isinstance(outcome, Accepted)
        assert simulator.logins == 2
        assert [sent.to for sent in simulator.sent] == ["first@example.com", "second@example.com"]

    async def test_that_expires_at_once_is_the_accounts_trouble(
        self, by_password: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await by_password.send([message()])
        simulator.error = ("error/auth/failed", "expired")

        [outcome] = await by_password.send([message()])

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.ACCOUNT
        assert simulator.logins == 2

    async def test_with_a_wrong_password_is_refused(
        self, by_password: Sendsay, simulator: SendsaySimulator
    ) -> None:
        simulator.password = "another"

        [outcome] = await by_password.send([message()])
        check = await by_password.check()

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "error/auth/failed")
        assert "wrong_credentials" in outcome.reason
        assert not check.ok
        assert PASSWORD not in f"{outcome!r} {check.text}"

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(status=502),
            Fault(close=True),
            Fault(status=500),
            Fault(status=200, body="[]", content_type="application/json"),
            Fault(status=200, body='{"session": 7}', content_type="application/json"),
        ],
    )
    async def test_that_fails_means_that_nothing_was_sent(
        self, by_password: Sendsay, simulator: SendsaySimulator, fault: Fault
    ) -> None:
        simulator.faults.append(fault)

        [outcome] = await by_password.send([message()])

        assert isinstance(outcome, Retry)
        assert not outcome.maybe_sent
        assert outcome.reason.startswith("login-")

    async def test_that_fails_is_tried_once_for_all_who_wait(
        self, by_password: Sendsay, simulator: SendsaySimulator
    ) -> None:
        simulator.fault, simulator.delay = Fault(status=503), 0.05

        results = await asyncio.gather(*(by_password.send([message(f"n{i}")]) for i in range(9)))

        assert simulator.requests == 1
        assert all(outcome == Retry("login-http-503") for [outcome] in results)


class TestErrors:
    @pytest.mark.parametrize(
        ("id_", "explain", "scope", "suppress"),
        [
            ("error/auth/failed", "wrong_credentials", Scope.ACCOUNT, True),
            # A key is not renewed.
            ("error/auth/failed", "expired", Scope.ACCOUNT, True),
            ("too_many_auth_parameters", None, Scope.ACCOUNT, True),
            ("error/sender/unknown", "", Scope.ACCOUNT, True),
            ("error/sender/onmoderation", "", Scope.ACCOUNT, True),
            ("error/sender/prohibited", {"email": "shop@example.com"}, Scope.ACCOUNT, True),
            ("error/x", "Email has permanent delivery errors", Scope.RECIPIENT, True),
            ("error/x", "Email is in the account stoplist", Scope.RECIPIENT, False),
            ("error/member/unconfirmed", "", Scope.RECIPIENT, False),
            ("error/member", {"member.haslock": 1}, Scope.RECIPIENT, False),
            ("error/of/tomorrow", ["why", 7], Scope.MESSAGE, True),
        ],
    )
    async def test_say_whose_fault_it_is(
        self,
        sendsay: Sendsay,
        simulator: SendsaySimulator,
        id_: str,
        explain: Any,
        scope: Scope,
        suppress: bool,
    ) -> None:
        simulator.error = (id_, explain)

        [outcome] = await sendsay.send([message()])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code, outcome.suppress) == (scope, id_, suppress)
        assert id_ in outcome.reason

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ('{"error": {"id": "error/a", "explain": "b"}}', "error/a"),
            ('{"error": "error/a"}', "error/a"),
            ('{"errors": ["error/a"]}', "error/a"),
            ('{"errors": [{}]}', "error"),
            ('{"errors": [{"explain": "b"}]}', "error"),
            ('{"errors": 7}', "7"),
        ],
    )
    async def test_are_read_in_every_shape(
        self, sendsay: Sendsay, simulator: SendsaySimulator, body: str, code: str
    ) -> None:
        simulator.fault = Fault(status=200, body=body, content_type="application/json")

        [outcome] = await sendsay.send([message()])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, code)

    async def test_do_not_quote_the_address(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        simulator.error = ("error/email", {"email": "anna@example.com"})

        [outcome] = await sendsay.send([message()])

        assert isinstance(outcome, Refused)
        assert outcome.reason == 'Sendsay refuses: error/email {"email": "(address)"}'

    async def test_with_another_status_are_still_errors(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        body = '{"errors": [{"id": "error/auth/failed"}]}'
        simulator.fault = Fault(status=403, body=body, content_type="application/json")

        [outcome] = await sendsay.send([message()])

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.ACCOUNT

    async def test_of_a_gateway_are_unclear_whatever_it_says(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        simulator.fault = Fault(status=502, body='{"track.id": 7}', content_type="application/json")

        [outcome] = await sendsay.send([message()])

        assert outcome == Retry("http-502-unreadable", maybe_sent=True)


def asked(name: str, provider_id: str, *, ago: timedelta = timedelta(0)) -> Sent:
    return Sent(f"key-{name}", provider_id, f"{name}@example.com", datetime.now(UTC) - ago)


class TestAsking:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (-6, [ReceiptStatus.DEFERRED]),
            (-5, [ReceiptStatus.DEFERRED]),
            (-4, [ReceiptStatus.DEFERRED]),
            (-3, [ReceiptStatus.FAILED]),
            (-2, [ReceiptStatus.FAILED]),
            ("-2", [ReceiptStatus.FAILED]),
            (0, [ReceiptStatus.SENT]),
            (6, [ReceiptStatus.SENT]),
            (99, []),
        ],
    )
    async def test_tells_the_state_of_the_issue(
        self,
        sendsay: Sendsay,
        simulator: SendsaySimulator,
        state: int | str,
        expected: list[ReceiptStatus],
    ) -> None:
        await sendsay.send([message()])
        simulator.state = state

        receipts = await sendsay.ask([asked("anna", "101")])

        assert [receipt.status for receipt in receipts] == expected

    async def test_tells_of_the_address_once_the_issue_has_left(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        for name in ("anna", "boris", "vera"):
            await sendsay.send([message(name)])
        simulator.ends(simulator.sent[0], "1")
        simulator.ends(simulator.sent[1], "-1", "550")
        simulator.ends(simulator.sent[2], "new")

        receipts = await sendsay.ask(
            [asked("anna", "101"), asked("boris", "102"), asked("vera", "103")]
        )

        assert receipts == [
            Receipt(ReceiptStatus.DELIVERED, "101", "key-anna"),
            Receipt(ReceiptStatus.FAILED, "102", "key-boris", code="550"),
        ]

    async def test_tells_nothing_while_letters_to_one_address_disagree(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await sendsay.send([message()])
        await sendsay.send([message()])
        simulator.deliveries[0].result = "1"

        assert await sendsay.ask([asked("anna", "101")]) == []
        simulator.deliveries[1].result = "1"
        [receipt] = await sendsay.ask([asked("anna", "102")])
        assert receipt.status is ReceiptStatus.DELIVERED

    async def test_passes_over_letters_from_before(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await sendsay.send([message()])
        await sendsay.send([message()])
        simulator.deliveries[0].result = "1"
        simulator.deliveries[0].at -= timedelta(days=1, hours=2)

        [receipt] = await sendsay.ask([asked("anna", "102")])
        assert receipt.status is ReceiptStatus.SENT
        assert await sendsay.ask([asked("anna", "101", ago=timedelta(days=1, hours=2))]) == []

    async def test_asks_once_for_a_state_that_many_share(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, mass_from=2), http)
        await adapter.send(sale(3))
        simulator.calls.clear()

        await adapter.ask([asked(f"n{i}", f"101:key-n{i}") for i in range(3)])

        actions = [call["action"] for call in simulator.calls]
        assert actions == ["track.get", "stat.uni", "stat.uni", "stat.uni"]

    async def test_of_a_letter_that_they_do_not_know_fails_without_the_address(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        with pytest.raises(Unavailable, match="error/track/notfound"):
            await sendsay.ask([asked("anna", "7")])

        simulator.error = ("error/email", "anna@example.com")
        with pytest.raises(Unavailable) as away:
            await sendsay.ask([asked("anna", "7")])
        assert "anna@" not in str(away.value)

    async def test_keeps_what_it_learned_before_they_fell_silent(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        await sendsay.send([message()])

        receipts = await sendsay.ask([asked("anna", "101"), asked("boris", "7")])

        assert [receipt.key for receipt in receipts] == ["key-anna"]

    @pytest.mark.parametrize(
        "rows",
        [
            [],
            [None, 7, {}, ["anna@example.com"]],
            [["boris@example.com", "1", ""]],
            [["anna@example.com", "1", ""]] * 50,
        ],
    )
    def test_reads_no_verdict_into_other_rows(self, rows: list[Any]) -> None:
        assert sendsay_statistics.verdict(asked("anna", "1"), {"list": rows}) == []

    def test_reads_addresses_whatever_their_case(self) -> None:
        rows = [["Anna@Example.com", 1, None]]

        [receipt] = sendsay_statistics.verdict(asked("anna", "1"), {"list": rows})

        assert receipt.status is ReceiptStatus.DELIVERED

    def test_is_the_only_way_to_hear_of_letters(self, sendsay: Sendsay) -> None:
        assert not isinstance(sendsay, ReadsHooks)


class TestCheck:
    async def test_knows_the_sender(self, sendsay: Sendsay) -> None:
        check = await sendsay.check()

        assert check.ok
        assert f"account {LOGIN}, shop@example.com is among its senders" in check.text

    async def test_misses_the_sender(self, sendsay: Sendsay, simulator: SendsaySimulator) -> None:
        simulator.senders = {"myshop@example.com": "confirmed", "other@example.com": "confirmed"}

        check = await sendsay.check()

        assert not check.ok
        assert "add and confirm it" in check.text

    @pytest.mark.parametrize("answer", [[], {}, [{"id": 1, "label": "Ромашка"}], "none"])
    async def test_is_content_with_a_list_that_it_cannot_read(
        self, sendsay: Sendsay, simulator: SendsaySimulator, answer: Any
    ) -> None:
        simulator.senders_answer = answer

        check = await sendsay.check()

        assert check.ok
        assert "does not tell" in check.text

    async def test_is_content_with_a_user_who_may_not_see_the_senders(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        pong = Fault(status=200, body='{"account": "a"}', content_type="application/json")
        denied = '{"errors": [{"id": "error/access/denied"}]}'
        simulator.faults += [pong, Fault(status=200, body=denied, content_type="application/json")]

        check = await sendsay.check()

        assert check.ok
        assert "could not be asked" in check.text

    async def test_is_not_content_with_an_answer_of_something_else(
        self, sendsay: Sendsay, simulator: SendsaySimulator
    ) -> None:
        simulator.fault = Fault(status=200, body='{"a": 1}', content_type="application/json")

        assert not (await sendsay.check()).ok


class TestSettings:
    @pytest.mark.parametrize(
        "given",
        [
            {"login": ""},
            {"token": None},
            {"token": "", "password": ""},
            {"password": "both"},
            {"sublogin": "hub"},
            {"from": "shop@mail.ru"},
            {"mass_from": 1},
            {"test_to": ["nobody"]},
        ],
    )
    def test_wrong_ones_are_refused(self, given: dict[str, Any]) -> None:
        known = {"login": LOGIN, "token": "t", "from": "shop@example.com"}

        with pytest.raises(ValidationError):
            SendsayConfig.model_validate(known | given)

    async def test_of_an_odd_login_are_a_path_of_their_own(
        self, simulator: SendsaySimulator, http: ProviderHttp
    ) -> None:
        adapter = Sendsay(settings(simulator, login="../json/romashka"), http)

        [outcome] = await adapter.send([message()])

        assert not isinstance(outcome, Accepted)
