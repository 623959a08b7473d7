"""Sendsay against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.email.sendsay import Sendsay, SendsayConfig
from channels.http import ProviderHttp
from tests.contract.cases import (
    HTTP_TROUBLES,
    Arrange,
    Asking,
    Case,
    Refusal,
    Throttle,
    Trouble,
    fault,
    letter,
)
from tests.simulators.base import Sent
from tests.simulators.sendsay import LOGIN, TOKEN, SendsaySimulator


def build(simulator: SendsaySimulator, http: ProviderHttp) -> Adapter:
    config = SendsayConfig.model_validate(
        {
            "login": LOGIN,
            "token": TOKEN,
            "from": "Ромашка <shop@example.com>",
            "base_url": f"{simulator.url}/",
        }
    )
    return Sendsay(config, http)


def says(id_: str, explain: str = "") -> Arrange:
    def arrange(simulator: SendsaySimulator) -> None:
        simulator.error = (id_, explain)

    return arrange


def block(simulator: SendsaySimulator) -> None:
    simulator.errors["nobody@example.com"] = (
        "error/email/blocked",
        "nobody@example.com has permanent delivery errors",
    )


def revoke(simulator: SendsaySimulator) -> None:
    simulator.token = "another"


def forget_sender(simulator: SendsaySimulator) -> None:
    simulator.senders.clear()


def moderate_sender(simulator: SendsaySimulator) -> None:
    simulator.senders["shop@example.com"] = "onmoderation"


def deliver(simulator: SendsaySimulator, sent: Sent) -> None:
    simulator.ends(sent, "1")


CASE = Case(
    channel=Channel.EMAIL,
    provider="sendsay",
    simulator=SendsaySimulator,
    build=build,
    messages=(letter("anna"), letter("boris"), letter("vera")),
    refusals=(
        Refusal("blocked", Scope.RECIPIENT, letter("nobody"), block),
        Refusal("no-subject", Scope.MESSAGE, Message("key-x", "x@example.com", "Text")),
        Refusal("key", Scope.ACCOUNT, letter("anna"), revoke),
        Refusal("sender", Scope.ACCOUNT, letter("anna"), forget_sender),
        Refusal("moderation", Scope.ACCOUNT, letter("anna"), moderate_sender),
    ),
    troubles=(
        *(trouble for trouble in HTTP_TROUBLES if trouble.name != "http-500"),
        Trouble("http-500", fault(status=500), maybe_sent=True),
    ),
    throttles=(
        Throttle("rate_limit", says("rate_limit")),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"track.id": ""}',
        '{"track.id": null}',
        '{"track.id": true}',
        '{"track.id": [1]}',
        '{"errors": []}',
        '{"REDIRECT": "/clu206"}',
    ),
    asking=Asking(deliver),
    bad_credentials=revoke,
    secrets=(TOKEN,),
)
