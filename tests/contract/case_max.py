"""MAX in the contract suite."""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from channels.base import Button, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.max.bot_api import BotApi
from channels.max.client import BotApiConfig
from tests.contract.cases import HTTP_TROUBLES, Case, Refusal, Throttle, fault
from tests.simulators.max import TOKEN, Max


def _simulator() -> Max:
    simulator = Max()
    for user_id in (42, 43, 45):
        simulator.add_person(user_id)
    simulator.add_group(-7001)
    return simulator


def _build(simulator: Max, http: ProviderHttp) -> BotApi:
    return BotApi(BotApiConfig(token=SecretStr(TOKEN), base_url=simulator.url), http)


def _busy(simulator: Any) -> None:
    simulator.limited, simulator.per_second = True, 0


def _busy_for_long(simulator: Any) -> None:
    _busy(simulator)
    simulator.retry_after = 7


def _other_token(simulator: Any) -> None:
    simulator.token = "another"


def _row(count: int, **button: str) -> tuple[tuple[Button, ...], ...]:
    return (tuple(Button(f"{n}", **button) for n in range(count)),)


CASE = Case(
    channel=Channel.MAX,
    provider="bot_api",
    simulator=_simulator,
    build=_build,
    messages=tuple(Message(f"k{to}", to, f"Заказ {to}") for to in ("42", "43", "-7001")),
    refusals=(
        Refusal("stopped", Scope.RECIPIENT, Message("k", "45", "Hi"), lambda sim: sim.stop_bot(45)),
        Refusal("never-started", Scope.RECIPIENT, Message("k", "999", "Hi")),
        Refusal("unknown-group", Scope.RECIPIENT, Message("k", "-999", "Hi")),
        Refusal("too-long", Scope.MESSAGE, Message("k", "42", "я" * 4001)),
        Refusal("empty", Scope.MESSAGE, Message("k", "42", "")),
        Refusal("wide", Scope.MESSAGE, Message("k", "42", "Hi", buttons=_row(8, data="d"))),
        Refusal(
            "wide-links",
            Scope.MESSAGE,
            Message("k", "42", "Hi", buttons=_row(4, url="https://shop.example")),
        ),
        Refusal(
            "too-much-data",
            Scope.MESSAGE,
            Message("k", "42", "Hi", buttons=_row(1, data="я" * 1025)),
        ),
        Refusal("bad-token", Scope.ACCOUNT, Message("k", "42", "Hi"), _other_token),
    ),
    troubles=HTTP_TROUBLES,
    throttles=(
        Throttle("whole-bot", _busy, timedelta(seconds=1)),
        Throttle("with-header", _busy_for_long, timedelta(seconds=7)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"message": null}',
        '{"message": {}}',
        '{"message": {"body": {"mid": ""}}}',
        '{"message": {"body": {"mid": 7}}}',
        '{"message": {"body": []}}',
        '{"success": true}',
        '{"code": "chat.denied", "message": "error.dialog.suspended"}',
    ),
    bad_credentials=_other_token,
    secrets=(TOKEN,),
)
