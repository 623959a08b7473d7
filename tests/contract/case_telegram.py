"""Telegram in the contract suite."""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from channels.base import Button, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.telegram.bot_api import BotApi, BotApiConfig
from tests.contract.cases import HTTP_TROUBLES, Case, Refusal, Throttle, fault
from tests.simulators.telegram import TOKEN, Telegram


def _simulator() -> Telegram:
    simulator = Telegram()
    for chat_id in (42, 43, 44, 45):
        simulator.add_person(chat_id)
    return simulator


def _build(simulator: Telegram, http: ProviderHttp) -> BotApi:
    return BotApi(BotApiConfig(token=SecretStr(TOKEN), base_url=simulator.url), http)


def _flood(simulator: Any) -> None:
    simulator.flood(timedelta(seconds=5))


def _other_token(simulator: Any) -> None:
    simulator.token = "1:revoked"


CASE = Case(
    channel=Channel.TELEGRAM,
    provider="bot_api",
    simulator=_simulator,
    build=_build,
    messages=tuple(Message(f"k{to}", str(to), f"Заказ {to}") for to in (42, 43, 44)),
    refusals=(
        Refusal("blocked", Scope.RECIPIENT, Message("k", "45", "Hi"), lambda sim: sim.block(45)),
        Refusal("unknown-chat", Scope.RECIPIENT, Message("k", "999", "Hi")),
        Refusal("too-long", Scope.MESSAGE, Message("k", "42", "я" * 4097)),
        Refusal("bad-html", Scope.MESSAGE, Message("k", "42", "Hi", html="<h1>Hi</h1>")),
        Refusal(
            "too-much-data",
            Scope.MESSAGE,
            Message("k", "42", "Hi", buttons=((Button("Есть", data="я" * 33),),)),
        ),
        Refusal("bad-token", Scope.ACCOUNT, Message("k", "42", "Hi"), _other_token),
    ),
    troubles=HTTP_TROUBLES,
    throttles=(
        Throttle("whole-bot", _flood, timedelta(seconds=4)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"ok": true}',
        '{"ok": true, "result": true}',
        '{"ok": true, "result": {"message_id": "7", "chat": {"id": 42}}}',
        '{"ok": true, "result": {"message_id": 7}}',
        '{"ok": "yes", "result": {"message_id": 7, "chat": {"id": 42}}}',
        '{"ok": false}',
        '{"ok": false, "error_code": "403", "description": {"a": 1}}',
        '{"ok": false, "error_code": 200, "parameters": [1]}',
    ),
    bad_credentials=_other_token,
    secrets=(TOKEN, "/bot"),
)
