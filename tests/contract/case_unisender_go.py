"""Unisender Go against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.email.unisender_go import UnisenderGo, UnisenderGoConfig
from channels.http import ProviderHttp
from tests.contract.cases import (
    HTTP_TROUBLES,
    Arrange,
    Case,
    Hook,
    Refusal,
    Throttle,
    Trouble,
    fault,
    letter,
)
from tests.simulators.base import Sent
from tests.simulators.unisender_go import TOKEN, UnisenderGoSimulator, event, signed


def build(simulator: UnisenderGoSimulator, http: ProviderHttp) -> Adapter:
    config = UnisenderGoConfig.model_validate(
        {
            "token": TOKEN,
            "from": "Ромашка <shop@example.com>",
            "base_url": f"{simulator.base_url}/",
        }
    )
    return UnisenderGo(config, http)


def fails(address: str, why: str) -> Arrange:
    def arrange(simulator: UnisenderGoSimulator) -> None:
        simulator.failed[address] = why

    return arrange


def answers(status: int, code: int) -> Arrange:
    def arrange(simulator: UnisenderGoSimulator) -> None:
        simulator.error = (status, code)

    return arrange


def revoke(simulator: UnisenderGoSimulator) -> None:
    simulator.token = "another"


def delivered(simulator: UnisenderGoSimulator, sent: Sent) -> HookRequest:
    return HookRequest("POST", {}, {}, simulator.receipt(event(sent, "delivered")))


def forged(simulator: UnisenderGoSimulator, sent: Sent) -> HookRequest:
    named = [{"event_name": "transactional_email_status", "event_data": event(sent, "spam")}]
    return HookRequest(
        "POST", {}, {}, signed({"auth": "", "events_by_user": [{"events": named}]}, "another")
    )


CASE = Case(
    channel=Channel.EMAIL,
    provider="unisender_go",
    simulator=UnisenderGoSimulator,
    build=build,
    messages=(letter("anna"), letter("boris"), letter("vera")),
    refusals=(
        Refusal(
            "unknown",
            Scope.RECIPIENT,
            letter("nobody"),
            fails("nobody@example.com", "permanent_unavailable"),
        ),
        Refusal("no-subject", Scope.MESSAGE, Message("key-x", "x@example.com", "Text")),
        Refusal("wrong-data-centre", Scope.ACCOUNT, letter("anna"), revoke),
        Refusal("day-limit", Scope.ACCOUNT, letter("anna"), answers(403, 901)),
        Refusal("sender-domain", Scope.ACCOUNT, letter("anna"), answers(400, 206)),
    ),
    troubles=(
        *HTTP_TROUBLES,
        *(
            Trouble(f"code-{code}", answers(400, code), maybe_sent=False)
            for code in (120, 121, 150, 908)
        ),
    ),
    throttles=(
        Throttle("429", answers(429, 150)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"status": "success"}',
        '{"status": "success", "job_id": 7, "emails": []}',
        '{"status": "success", "job_id": "1", "emails": null}',
        '{"status": "success", "job_id": "1", "emails": [], "failed_emails": [1]}',
        '{"status": "error"}',
        '{"status": "error", "code": "1573"}',
    ),
    hook=Hook(delivered, forged),
    bad_credentials=revoke,
    secrets=(TOKEN,),
)
