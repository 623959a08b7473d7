"""Mailchimp Transactional against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, ReceiptStatus, Scope
from channels.email.mailchimp_transactional import (
    MailchimpTransactional,
    MailchimpTransactionalConfig,
)
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
from tests.simulators.mailchimp_transactional import (
    HOOK_URL,
    TOKEN,
    WEBHOOK_KEY,
    MailchimpTransactionalSimulator,
    event,
    hook,
)

Simulator = MailchimpTransactionalSimulator


def build(simulator: Simulator, http: ProviderHttp) -> Adapter:
    config = MailchimpTransactionalConfig.model_validate(
        {
            "token": TOKEN,
            "from": "Ромашка <shop@example.com>",
            "hook_url": HOOK_URL,
            "webhook_key": WEBHOOK_KEY,
            "base_url": f"{simulator.base_url}/",
        }
    )
    return MailchimpTransactional(config, http)


def denies(address: str, why: str) -> Arrange:
    def arrange(simulator: Simulator) -> None:
        simulator.denied[address] = why

    return arrange


def fails(name: str) -> Arrange:
    def arrange(simulator: Simulator) -> None:
        simulator.error = name

    return arrange


def revoke(simulator: Simulator) -> None:
    simulator.token = "another"


def unverify(simulator: Simulator) -> None:
    simulator.domains["example.com"] = False


def suspend(simulator: Simulator) -> None:
    simulator.held = "sending-suspended"


def reject_content(simulator: Simulator) -> None:
    simulator.bad_text = "anna"


def bounced(_: Simulator, letter: Sent) -> HookRequest:
    return hook(event(letter, "hard_bounce", bounce_description="bad_mailbox"))


def forged(_: Simulator, letter: Sent) -> HookRequest:
    return hook(event(letter, "spam"), key="another")


CASE = Case(
    channel=Channel.EMAIL,
    provider="mailchimp_transactional",
    simulator=MailchimpTransactionalSimulator,
    build=build,
    messages=(letter("anna"), letter("boris"), letter("vera")),
    refusals=(
        Refusal(
            "hard-bounce",
            Scope.RECIPIENT,
            letter("nobody"),
            denies("nobody@example.com", "hard-bounce"),
        ),
        Refusal("content", Scope.MESSAGE, letter("anna"), reject_content),
        Refusal("key", Scope.ACCOUNT, letter("anna"), revoke),
        Refusal("unsigned", Scope.ACCOUNT, letter("anna"), unverify),
        Refusal("suspended", Scope.ACCOUNT, letter("anna"), suspend),
        Refusal("payment", Scope.ACCOUNT, letter("anna"), fails("PaymentRequired")),
    ),
    troubles=(
        # Of their own errors nobody says whether the call was carried out.
        *(trouble for trouble in HTTP_TROUBLES if trouble.name not in ("http-500", "http-503")),
        Trouble("http-500", fault(status=500), maybe_sent=True),
        Trouble("http-503", fault(status=503), maybe_sent=True),
        Trouble("GeneralError", fails("GeneralError"), maybe_sent=True),
        Trouble("ServiceUnavailable", fails("ServiceUnavailable"), maybe_sent=True),
    ),
    throttles=(
        Throttle("RequestLimitExceeded", fails("RequestLimitExceeded")),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        "[null, 7, []]",
        '[{"email": "anna@example.com"}]',
        '[{"email": "anna@example.com", "status": "sent"}]',
        '[{"email": "anna@example.com", "status": "sent", "_id": ""}]',
        '[{"email": "anna@example.com", "status": 7, "_id": "1"}]',
        '{"status": "error"}',
        '{"status": "error", "name": 7}',
    ),
    hook=Hook(bounced, forged, status=ReceiptStatus.BOUNCED),
    asking=Asking(Simulator.delivers),
    bad_credentials=revoke,
    secrets=(TOKEN, WEBHOOK_KEY),
)
