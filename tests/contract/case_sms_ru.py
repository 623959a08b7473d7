"""SMS.ru against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.http import ProviderHttp
from channels.sms.sms_ru import SmsRu, SmsRuConfig
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
from tests.simulators.sms_ru import TOKEN, SmsRuSimulator, callback


def build(simulator: SmsRuSimulator, http: ProviderHttp) -> Adapter:
    return SmsRu(SmsRuConfig.model_validate({"token": TOKEN, "base_url": simulator.url}), http)


def message(number: int, text: str = "") -> Message:
    return Message(
        key=f"key-{number}",
        to=f"+7999000000{number}",
        text=text or f"Заказ {number} принят",
        batch_key="batch-1",
    )


def says(code: int) -> Arrange:
    def arrange(simulator: SmsRuSimulator) -> None:
        simulator.code = code

    return arrange


def stop_list(simulator: SmsRuSimulator) -> None:
    simulator.codes["79990000009"] = 209


def unregistered(simulator: SmsRuSimulator) -> None:
    simulator.codes["79990000001"] = 204


def revoke(simulator: SmsRuSimulator) -> None:
    simulator.token = "another"


def delivered(simulator: SmsRuSimulator, sent: Sent) -> HookRequest:
    return _call(sent, TOKEN)


def forged(simulator: SmsRuSimulator, sent: Sent) -> HookRequest:
    return _call(sent, "another")


def _call(sent: Sent, token: str) -> HookRequest:
    entry = f"sms_status\n{sent.provider_id}\n103\n1793527200"
    return HookRequest("POST", {}, {}, callback([entry], token))


CASE = Case(
    channel=Channel.SMS,
    provider="sms_ru",
    simulator=SmsRuSimulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("stop-list", Scope.RECIPIENT, message(9), stop_list),
        Refusal("nine-segments", Scope.MESSAGE, message(1, "я" * 600)),
        Refusal("wrong-key", Scope.ACCOUNT, message(1), revoke),
        Refusal("no-money", Scope.ACCOUNT, message(1), says(201)),
        Refusal("sender-unknown-to-operator", Scope.ACCOUNT, message(1), unregistered),
    ),
    troubles=(
        *HTTP_TROUBLES,
        Trouble("code-220", says(220), maybe_sent=False),
        Trouble("code-500", says(500), maybe_sent=False),
    ),
    throttles=(
        Throttle("same-text-of-somebody-else", says(231), timedelta(seconds=60)),
        Throttle("codes-too-often", says(233), timedelta(minutes=5)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"status": "OK"}',
        '{"status": "OK", "status_code": 100}',
        '{"status": "OK", "status_code": 100, "sms": {}}',
        '{"status": "OK", "status_code": 100, "sms": []}',
        '{"status": "OK", "status_code": 100, "sms": {"79990000001": {"status_code": "100"}}}',
        '{"status": "OK", "status_code": 100, "sms": {"79990000001": {"status_code": 100}}}',
        '{"status": "OK", "status_code": "100", "sms": {}}',
    ),
    hook=Hook(delivered, forged),
    bad_credentials=revoke,
    secrets=(TOKEN,),
    recipient=lambda message: message.to.removeprefix("+"),
)
