"""SendPulse's letters against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.email.sendpulse import SendpulseEmail, SendpulseEmailConfig
from channels.http import ProviderHttp
from tests.contract.cases import (
    HTTP_TROUBLES,
    Arrange,
    Asking,
    Case,
    Hook,
    Refusal,
    Throttle,
    Trouble,
    fault,
    letter,
)
from tests.simulators.base import Sent
from tests.simulators.sendpulse import (
    CLIENT_ID,
    CLIENT_SECRET,
    TOKENS,
    SendpulseSimulator,
    event,
    hook,
)


def build(simulator: SendpulseSimulator, http: ProviderHttp) -> Adapter:
    config = SendpulseEmailConfig.model_validate(
        {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "from": "Ромашка <shop@example.com>",
            "base_url": f"{simulator.url}/",
        }
    )
    return SendpulseEmail(config, http)


def says(status: int, code: int, text: str = "said by the test") -> Arrange:
    def arrange(simulator: SendpulseSimulator) -> None:
        simulator.error = (status, code, text)

    return arrange


def knows_not(simulator: SendpulseSimulator) -> None:
    simulator.invalid.add("nobody@example.com")


def revoke(simulator: SendpulseSimulator) -> None:
    simulator.revoke()


def unconfirmed(simulator: SendpulseSimulator) -> None:
    simulator.senders.remove("shop@example.com")


def no_token(simulator: SendpulseSimulator) -> None:
    simulator.tokens.clear()
    simulator.oauth_down = True


def delivered(simulator: SendpulseSimulator, sent: Sent) -> HookRequest:
    return HookRequest("POST", {}, {}, hook(event(sent, "delivered")))


def arrives(simulator: SendpulseSimulator, sent: Sent) -> None:
    simulator.records[sent.provider_id] |= {"smtp_answer_code": 250}


LIMITED = "Sending from your account is currently limited. Please try later."

CASE = Case(
    channel=Channel.EMAIL,
    provider="sendpulse",
    simulator=SendpulseSimulator,
    build=build,
    messages=(letter("anna"), letter("boris"), letter("vera")),
    refusals=(
        Refusal("invalid", Scope.RECIPIENT, letter("nobody"), knows_not),
        Refusal("no-subject", Scope.MESSAGE, Message("key-x", "x@example.com", "Text")),
        Refusal("wrong-secret", Scope.ACCOUNT, letter("anna"), revoke),
        Refusal("unconfirmed-sender", Scope.ACCOUNT, letter("anna"), unconfirmed),
        Refusal("expired", Scope.ACCOUNT, letter("anna"), says(403, 403, "Account expired")),
        Refusal("no-money", Scope.ACCOUNT, letter("anna"), says(422, 707)),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("no-token", no_token, maybe_sent=False)),
    throttles=(
        Throttle("ten-a-second", says(400, 2020202020), timedelta(seconds=1)),
        Throttle("plan", says(429, 429), timedelta(minutes=1)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
        Throttle("limited", says(422, 422, LIMITED)),
        Throttle("campaigns", says(400, 791), timedelta(hours=1)),
    ),
    odd_answers=(
        '{"result": true}',
        '{"result": true, "id": null}',
        '{"result": true, "id": 7}',
        '{"result": "true", "id": "a"}',
        '{"error_code": "x"}',
    ),
    # Nothing is signed.
    hook=Hook(delivered, None),
    asking=Asking(arrives),
    bad_credentials=revoke,
    secrets=(CLIENT_SECRET, TOKENS),
    warm=True,
)
