"""SMSC.ru against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.sms.smsc import Smsc, SmscConfig
from tests.contract.cases import HTTP_TROUBLES, Arrange, Case, Refusal, Throttle, Trouble, fault
from tests.simulators.smsc import TOKEN, SmscSimulator


def build(simulator: SmscSimulator, http: ProviderHttp) -> Adapter:
    return Smsc(SmscConfig.model_validate({"token": TOKEN, "base_url": simulator.url}), http)


def message(number: int, text: str = "Заказ 1001 принят") -> Message:
    return Message(key=f"key-{number}", to=f"+7999000000{number}", text=text, batch_key="batch-1")


def says(code: int) -> Arrange:
    def arrange(simulator: SmscSimulator) -> None:
        simulator.error = code

    return arrange


def knows_not(simulator: SmscSimulator) -> None:
    simulator.errors["+79990000009"] = 7


def crowd(simulator: SmscSimulator) -> None:
    simulator.crowded = True


def revoke(simulator: SmscSimulator) -> None:
    simulator.token = "another"


CASE = Case(
    channel=Channel.SMS,
    provider="smsc",
    simulator=SmscSimulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("wrong-number", Scope.RECIPIENT, message(9), knows_not),
        Refusal("too-long", Scope.MESSAGE, message(1, "я" * 1001)),
        Refusal("forbidden-text", Scope.MESSAGE, message(1), says(6)),
        Refusal("wrong-key", Scope.ACCOUNT, message(1), revoke),
        Refusal("no-money", Scope.ACCOUNT, message(1), says(3)),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("ip-blocked", says(4), maybe_sent=False)),
    throttles=(
        Throttle("too-many-at-once", crowd, timedelta(seconds=60)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"cnt": 1}',
        '{"id": 1, "cnt": 1}',
        '{"id": [], "phones": {}}',
        '{"error": "what"}',
        '{"error": "what", "error_code": "2"}',
    ),
    bad_credentials=revoke,
    secrets=(TOKEN,),
)
