"""Unisender's letters against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.email.unisender import UnisenderEmail, UnisenderEmailConfig
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
from tests.simulators.unisender import (
    LIST_ID,
    TOKEN,
    UnisenderSimulator,
    callback,
    letter_event,
)


def build(simulator: UnisenderSimulator, http: ProviderHttp) -> Adapter:
    config = UnisenderEmailConfig.model_validate(
        {
            "token": TOKEN,
            "from": "Ромашка <shop@example.com>",
            "list_id": LIST_ID,
            "base_url": f"{simulator.base_url}/",
        }
    )
    return UnisenderEmail(config, http)


def fails(address: str, code: str) -> Arrange:
    def arrange(simulator: UnisenderSimulator) -> None:
        simulator.failed[address] = code

    return arrange


def says(code: str) -> Arrange:
    def arrange(simulator: UnisenderSimulator) -> None:
        simulator.error = code

    return arrange


def unconfirm(simulator: UnisenderSimulator) -> None:
    simulator.senders["shop@example.com"] = False


def revoke(simulator: UnisenderSimulator) -> None:
    simulator.token = "another"


def delivered(simulator: UnisenderSimulator, sent: Sent) -> HookRequest:
    return HookRequest("POST", {}, {}, callback(letter_event(sent, "ok_delivered")))


def forged(simulator: UnisenderSimulator, sent: Sent) -> HookRequest:
    return HookRequest("POST", {}, {}, callback(letter_event(sent, "ok_fbl"), token="another"))


def ends(simulator: UnisenderSimulator, sent: Sent) -> None:
    simulator.statuses[sent.provider_id] = "ok_delivered"


CASE = Case(
    channel=Channel.EMAIL,
    provider="unisender",
    simulator=UnisenderSimulator,
    build=build,
    messages=(letter("anna"), letter("boris"), letter("vera")),
    refusals=(
        Refusal(
            "left-everything",
            Scope.RECIPIENT,
            letter("nobody"),
            fails("nobody@example.com", "unsubscribed_globally"),
        ),
        Refusal("no-subject", Scope.MESSAGE, Message("key-x", "x@example.com", "Text")),
        Refusal("wrong-key", Scope.ACCOUNT, letter("anna"), revoke),
        Refusal("no-money", Scope.ACCOUNT, letter("anna"), says("not_enough_money")),
        Refusal("sender-not-confirmed", Scope.ACCOUNT, letter("anna"), unconfirm),
    ),
    troubles=(
        *HTTP_TROUBLES,
        Trouble("retry-later", says("retry_later"), maybe_sent=False),
        Trouble(
            "retry-later-of-an-address", fails("anna@example.com", "retry_later"), maybe_sent=False
        ),
    ),
    throttles=(
        Throttle(
            "calls-of-the-key", says("api_call_limit_exceeded_for_api_key"), timedelta(seconds=60)
        ),
        Throttle(
            "calls-of-the-machine", says("api_call_limit_exceeded_for_ip"), timedelta(seconds=60)
        ),
        Throttle(
            "wrote-there-a-moment-ago",
            fails("anna@example.com", "has_been_sent"),
            timedelta(seconds=60),
        ),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"result": null}',
        '{"result": {}}',
        '{"result": []}',
        '{"result": [{}]}',
        '{"result": [[]]}',
        '{"result": [{"index": 0, "email": "anna@example.com"}]}',
        '{"result": [{"id": true}]}',
        '{"result": [{"id": "1"}, {"id": "2"}]}',
        '{"error": ""}',
        '{"error": 7}',
    ),
    hook=Hook(delivered, forged),
    asking=Asking(ends),
    bad_credentials=revoke,
    secrets=(TOKEN,),
)
