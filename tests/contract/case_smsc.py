"""SMSC.ru against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.http import ProviderHttp
from channels.sms.smsc import Smsc, SmscConfig
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
from tests.simulators.smsc import TOKEN, SmscSimulator, callback

SECRET = "a secret of callbacks"


def build(simulator: SmscSimulator, http: ProviderHttp) -> Adapter:
    return Smsc(
        SmscConfig.model_validate(
            {"token": TOKEN, "base_url": simulator.url, "callback_secret": SECRET}
        ),
        http,
    )


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


def delivered(simulator: SmscSimulator, sent: Sent) -> HookRequest:
    return _call(sent, SECRET)


def forged(simulator: SmscSimulator, sent: Sent) -> HookRequest:
    return _call(sent, "another secret")


def _call(sent: Sent, secret: str) -> HookRequest:
    id_, _, phone = sent.provider_id.partition(":")
    return HookRequest("POST", {}, {}, callback({"id": id_, "phone": phone, "status": "1"}, secret))


def heard(simulator: SmscSimulator) -> HookRequest:
    body = callback({"id": "8", "phone": "79990000001", "mes": "ДА 1001", "to": "79991112233"})
    return HookRequest("POST", {}, {}, body)


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
    hook=Hook(delivered, forged, heard=heard),
    bad_credentials=revoke,
    secrets=(TOKEN, SECRET),
)
