"""Unisender's SMS against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.sms.unisender import UnisenderSms, UnisenderSmsConfig
from tests.contract.cases import (
    HTTP_TROUBLES,
    Arrange,
    Asking,
    Case,
    Refusal,
    Throttle,
    Trouble,
    fault,
)
from tests.simulators.base import Sent
from tests.simulators.unisender import TOKEN, UnisenderSimulator


def build(simulator: UnisenderSimulator, http: ProviderHttp) -> Adapter:
    config = UnisenderSmsConfig.model_validate(
        {"token": TOKEN, "sender": "Romashka", "base_url": simulator.base_url}
    )
    return UnisenderSms(config, http)


def message(number: int, text: str = "Заказ принят") -> Message:
    return Message(key=f"key-{number}", to=f"+7999000000{number}", text=text, batch_key="batch-1")


def fails(phone: str, code: str) -> Arrange:
    def arrange(simulator: UnisenderSimulator) -> None:
        simulator.failed[phone] = code

    return arrange


def says(code: str) -> Arrange:
    def arrange(simulator: UnisenderSimulator) -> None:
        simulator.error = code

    return arrange


def unregister(simulator: UnisenderSimulator) -> None:
    simulator.registered.clear()


def revoke(simulator: UnisenderSimulator) -> None:
    simulator.token = "another"


def ends(simulator: UnisenderSimulator, sent: Sent) -> None:
    simulator.statuses[sent.provider_id] = "ok_delivered"


CASE = Case(
    channel=Channel.SMS,
    provider="unisender",
    simulator=UnisenderSimulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("wrong-number", Scope.RECIPIENT, message(9), fails("79990000009", "dest_invalid")),
        Refusal("too-long", Scope.MESSAGE, message(1, "я" * 1001)),
        Refusal("wrong-key", Scope.ACCOUNT, message(1), revoke),
        Refusal("no-money", Scope.ACCOUNT, message(1), says("not_enough_money")),
        Refusal("sender", Scope.ACCOUNT, message(1), says("src_invalid")),
        Refusal("sender-not-registered", Scope.ACCOUNT, message(1), unregister),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("retry-later", says("retry_later"), maybe_sent=False)),
    throttles=(
        Throttle(
            "calls-of-the-key", says("api_call_limit_exceeded_for_api_key"), timedelta(seconds=60)
        ),
        Throttle(
            "calls-of-the-machine", says("api_call_limit_exceeded_for_ip"), timedelta(seconds=60)
        ),
        Throttle("wrote-there-a-moment-ago", says("has_been_sent"), timedelta(seconds=60)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"result": null}',
        '{"result": {}}',
        '{"result": []}',
        '{"result": [{}]}',
        '{"result": {"sms_id": "1.79990000001", "price": "3.56"}}',
        '{"result": [{"phone": "79990000001", "sms_id": true}]}',
        '{"result": [{"phone": "70000000000", "sms_id": "1.70000000000"}]}',
        '{"error": ""}',
    ),
    asking=Asking(ends),
    bad_credentials=revoke,
    secrets=(TOKEN,),
    recipient=lambda message: message.to.removeprefix("+"),
)
