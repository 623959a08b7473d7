"""A Viber bot against the contract suite."""

from datetime import timedelta
from typing import Any

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.http import ProviderHttp
from channels.viber.bot_api import BotApi, BotApiConfig
from tests.contract.cases import (
    HTTP_TROUBLES,
    Arrange,
    Case,
    Hook,
    Refusal,
    Throttle,
    Trouble,
    fault,
)
from tests.simulators.base import Sent
from tests.simulators.viber import TOKEN, ViberSimulator, about, said, signed


def simulator() -> ViberSimulator:
    made = ViberSimulator()
    made.subscribers = {f"person{number}==" for number in (1, 2, 3)}
    return made


def build(simulator: ViberSimulator, http: ProviderHttp) -> Adapter:
    config = {"token": TOKEN, "sender": "Ромашка", "base_url": f"{simulator.base_url}/"}
    return BotApi(BotApiConfig.model_validate(config), http)


def message(number: int, **more: Any) -> Message:
    given: dict[str, Any] = {
        "key": f"key-{number}",
        "to": f"person{number}==",
        "text": "Скидки до воскресенья",
        "batch_key": "batch-1",
    }
    return Message(**given | more)


def says(code: int) -> Arrange:
    def arrange(simulator: ViberSimulator) -> None:
        simulator.code = code

    return arrange


def gone(simulator: ViberSimulator) -> None:
    simulator.codes["person9=="] = 5


def no_broadcasts(simulator: ViberSimulator) -> None:
    simulator.may_broadcast = False


def revoke(simulator: ViberSimulator) -> None:
    simulator.token = "another"


def delivered(simulator: ViberSimulator, sent: Sent) -> HookRequest:
    return about(sent, "delivered")


def forged(simulator: ViberSimulator, sent: Sent) -> HookRequest:
    return signed(about(sent, "seen").body.decode(), "another")


def heard(simulator: ViberSimulator) -> HookRequest:
    return said("person1==", "Где мой заказ?")


def sealed(body: bytes) -> HookRequest:
    """Rubbish that is signed all the same."""
    return signed(body)


CASE = Case(
    channel=Channel.VIBER,
    provider="bot_api",
    simulator=simulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("not-subscribed", Scope.RECIPIENT, message(8)),
        Refusal("not-registered", Scope.RECIPIENT, message(9), gone),
        Refusal("too-long", Scope.MESSAGE, message(1, text="я" * 7001)),
        Refusal("no-text", Scope.MESSAGE, message(1, text="")),
        Refusal("wrong-token", Scope.ACCOUNT, message(1), revoke),
        Refusal("no-webhook", Scope.ACCOUNT, message(1), says(10)),
        Refusal("no-money", Scope.ACCOUNT, message(1), says(24)),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("general", says(-1), maybe_sent=False)),
    throttles=(
        Throttle("too-many", says(12)),
        Throttle("no-broadcasts", no_broadcasts),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"status": 0}',
        '{"status": "0", "message_token": 1}',
        '{"status": 0, "message_token": null}',
        '{"status": 0, "message_token": 0}',
    ),
    hook=Hook(delivered, forged, heard=heard, sealed=sealed),
    bad_credentials=revoke,
    secrets=(TOKEN,),
)
