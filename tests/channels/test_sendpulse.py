"""SendPulse, what its services share: the access token, whose fault an error is, the settings."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Accepted, Message, Outcome, Refused, Retry, Scope
from channels.email.sendpulse import SendpulseEmail, SendpulseEmailConfig
from channels.http import ProviderHttp, Reply
from channels.sendpulse.api import SendpulseConfig
from channels.sendpulse.refusals import refusal
from tests.simulators.base import Fault
from tests.simulators.sendpulse import CLIENT_ID, CLIENT_SECRET, KEY, SendpulseSimulator

MESSAGE = Message(key="key-1", to="anna@example.com", subject="Заказ 1001", text="Принят")


def adapter(simulator: SendpulseSimulator, http: ProviderHttp, **way_in: Any) -> SendpulseEmail:
    pair = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    given = {"from": "shop@example.com", "base_url": simulator.url} | (way_in or pair)
    return SendpulseEmail(SendpulseEmailConfig.model_validate(given), http)


async def send(adapter: SendpulseEmail) -> Outcome:
    [outcome] = await adapter.send([MESSAGE])
    return outcome


@pytest.fixture
async def simulator() -> AsyncIterator[SendpulseSimulator]:
    async with SendpulseSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def sendpulse(simulator: SendpulseSimulator, http: ProviderHttp) -> SendpulseEmail:
    return adapter(simulator, http)


class TestToken:
    async def test_is_one_for_all_that_is_sent_at_once(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        outcomes = await asyncio.gather(*(send(sendpulse) for _ in range(20)))

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert simulator.given_out == 1

    async def test_that_was_withdrawn_is_renewed_once(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        await send(sendpulse)
        simulator.tokens.clear()

        outcome = await send(sendpulse)

        assert isinstance(outcome, Accepted)
        assert simulator.given_out == 2

    async def test_that_is_new_and_still_not_taken_is_the_accounts_fault(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        simulator.error = (401, 401, "Unauthorized!")

        outcome = await send(sendpulse)

        assert outcome == Refused(Scope.ACCOUNT, "401", "Unauthorized!")
        assert simulator.given_out == 2

    async def test_is_not_given_for_a_wrong_secret(
        self, simulator: SendpulseSimulator, http: ProviderHttp
    ) -> None:
        wrong = adapter(simulator, http, client_id=CLIENT_ID, client_secret="hush-hush")

        outcome = await send(wrong)

        text = "Client authentication failed"
        assert outcome == Refused(Scope.ACCOUNT, "invalid_client", text)

    async def test_that_cannot_be_had_now_leaves_the_message_unsent(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        simulator.oauth_down = True

        outcome = await send(sendpulse)

        assert outcome == Retry("token-http-502-unreadable")

    async def test_is_waited_for_by_many_only_once(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        simulator.oauth_down = True
        simulator.delay = 0.05

        await asyncio.gather(*(send(sendpulse) for _ in range(10)))

        assert simulator.requests == 1

    async def test_may_be_asked_for_too_often(
        self, sendpulse: SendpulseEmail, simulator: SendpulseSimulator
    ) -> None:
        body = '{"message": "More than 10 requests per second", "error_code": 2020202020}'
        simulator.faults.append(Fault(status=400, body=body, content_type="application/json"))

        outcome = await send(sendpulse)

        assert outcome == Retry("token-sendpulse-2020202020", timedelta(seconds=1), throttled=True)

    async def test_is_not_needed_with_a_key(
        self, simulator: SendpulseSimulator, http: ProviderHttp
    ) -> None:
        outcome = await send(adapter(simulator, http, token=KEY))

        assert isinstance(outcome, Accepted)
        assert simulator.given_out == 0


def answer(status: int, **body: Any) -> tuple[Reply, dict[str, Any]]:
    return Reply(status, {}, b""), body


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "scope"),
        [
            (401, 401, Scope.ACCOUNT),
            (403, 403, Scope.ACCOUNT),
            (403, 8, Scope.ACCOUNT),
            (422, 3030303030, Scope.ACCOUNT),
            (422, 20, Scope.ACCOUNT),
            (422, 97, Scope.ACCOUNT),
            (422, 704, Scope.ACCOUNT),
            (422, 707, Scope.ACCOUNT),
            (422, 708, Scope.ACCOUNT),
            (422, 901, Scope.ACCOUNT),
            (422, 903, Scope.ACCOUNT),
            (422, 904, Scope.ACCOUNT),
            (422, 1003, Scope.ACCOUNT),
            (422, 10, Scope.MESSAGE),
            (422, 12, Scope.MESSAGE),
            (422, 13, Scope.MESSAGE),
            (422, 31, Scope.MESSAGE),
            (422, 32, Scope.MESSAGE),
            (422, 550, Scope.MESSAGE),
            (422, 720, Scope.MESSAGE),
            (422, 721, Scope.MESSAGE),
            (422, 731, Scope.MESSAGE),
            (422, 999, Scope.MESSAGE),
            (422, 123456, Scope.MESSAGE),
            (422, "707", Scope.ACCOUNT),
        ],
    )
    def test_by_code(self, status: int, code: Any, scope: Scope) -> None:
        outcome = refusal(*answer(status, error_code=code, message="said by the test"))

        assert outcome == Refused(scope, str(code), "said by the test")

    @pytest.mark.parametrize(
        ("code", "suppress"), [(11, True), (17, False), (502, False), (906, False)]
    )
    def test_of_one_address(self, code: int, suppress: bool) -> None:
        outcome = refusal(*answer(422, error_code=code, message="text"))

        assert outcome == Refused(Scope.RECIPIENT, str(code), "text", suppress=suppress)

    def test_of_some_address_among_many_suppress_none(self) -> None:
        for code, text in ((11, "text"), (422, "Recipient email is invalid")):
            outcome = refusal(*answer(422, error_code=code, message=text), alone=False)

            assert outcome == Refused(Scope.RECIPIENT, str(code), text, suppress=False)

    @pytest.mark.parametrize(
        ("code", "text", "scope"),
        [
            (400, "No such SMTP user, you need to create SMTP account first", Scope.ACCOUNT),
            (400, "Something about this letter", Scope.MESSAGE),
            (10, "Argument from.email is invalid", Scope.ACCOUNT),
            (10, "Argument template.id missing", Scope.MESSAGE),
            (422, "Sender is not valid", Scope.ACCOUNT),
            (422, "Sending quota or bandwidth exceeded", Scope.ACCOUNT),
            (422, "Your tariff does not allow the operation", Scope.ACCOUNT),
            (422, "Recipient email is invalid", Scope.RECIPIENT),
            (422, "Message size limit exceeded", Scope.MESSAGE),
        ],
    )
    def test_by_words_where_a_code_has_many_meanings(
        self, code: int, text: str, scope: Scope
    ) -> None:
        outcome = refusal(*answer(422, error_code=code, message=text))

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code, outcome.reason) == (scope, str(code), text)

    def test_that_are_for_now_only(self) -> None:
        text = "Sending from your account is currently limited. Please try later."

        outcome = refusal(*answer(422, error_code=422, message=text))

        assert outcome == Retry("sendpulse-422", throttled=True)

    @pytest.mark.parametrize(("status", "maybe"), [(500, False), (503, False), (502, True)])
    def test_of_a_broken_service_are_troubles(self, status: int, maybe: bool) -> None:
        outcome = refusal(*answer(status, error_code=502, message="text"))

        assert isinstance(outcome, Retry)
        assert outcome.maybe_sent is maybe

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"result": False}, "SendPulse refuses without saying why"),
            ({"success": False, "data": {"message": "no  such\ntemplate"}}, "no such template"),
            ({"success": False, "data": [1]}, "SendPulse refuses without saying why"),
        ],
    )
    def test_without_a_code_are_about_the_message(self, body: dict[str, Any], reason: str) -> None:
        assert refusal(*answer(200, **body)) == Refused(Scope.MESSAGE, "refused", reason)


class TestSettings:
    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"token": ""},
            {"client_id": "id"},
            {"client_secret": "hush"},
            {"client_id": "id", "client_secret": ""},
            {"token": "hush", "client_id": "id", "client_secret": "hush"},
            {"token": "hush", "base_url": "sendpulse.com"},
        ],
    )
    def test_need_one_way_in(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as wrong:
            SendpulseConfig.model_validate(given)

        assert "hush" not in str(wrong.value)
