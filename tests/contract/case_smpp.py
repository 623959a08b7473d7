"""An SMSC against the contract suite."""

from typing import Any

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.sms.smpp import Smpp
from channels.sms.smpp_config import SmppConfig
from tests.contract.cases import (
    PATIENCE,
    Arrange,
    Case,
    Listening,
    Refusal,
    Throttle,
    Trouble,
)
from tests.simulators.base import Sent
from tests.simulators.smpp import (
    ALYBND,
    INVDSTADR,
    INVMSGLEN,
    INVSRCADR,
    MSGQFUL,
    SYSERR,
    THROTTLED,
    Accident,
    SmppSimulator,
)

PASSWORD = "pass-1"


def simulator() -> SmppSimulator:
    return SmppSimulator(password=PASSWORD)


def build(smsc: SmppSimulator, http: ProviderHttp) -> Adapter:
    config = SmppConfig.model_validate(
        {
            "host": "127.0.0.1",
            "port": smsc.port,
            "login": "shop",
            "password": PASSWORD,
            "sender": "Romashka",
            "timeout": PATIENCE,
        }
    )
    return Smpp(config, http)


def accident(at: str, **how: Any) -> Arrange:
    def arrange(smsc: SmppSimulator) -> None:
        smsc.accident = Accident(at, **how)

    return arrange


def says(command: str, status: int) -> Arrange:
    def arrange(smsc: SmppSimulator) -> None:
        smsc.answers[command] = status

    return arrange


def knows_not(smsc: SmppSimulator) -> None:
    smsc.refused["79990000009"] = INVDSTADR


def forget_password(smsc: SmppSimulator) -> None:
    smsc.password = "another"


async def delivered(smsc: SmppSimulator, sent: Sent) -> bool:
    return await smsc.receipt(sent)


async def heard(smsc: SmppSimulator) -> bool:
    return await smsc.writes("ДА 1001") == [0]


def message(number: int, text: str = "Заказ принят") -> Message:
    return Message(key=f"key-{number}", to=f"+7999000000{number}", text=text)


CASE = Case(
    channel=Channel.SMS,
    provider="smpp",
    simulator=simulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("wrong-number", Scope.RECIPIENT, message(9), knows_not),
        Refusal("too-long", Scope.MESSAGE, message(1, "я" * 67 * 256)),
        Refusal("wrong-length", Scope.MESSAGE, message(1), says("SUBMIT", INVMSGLEN)),
        Refusal("own-code", Scope.MESSAGE, message(1), says("SUBMIT", 0x412)),
        Refusal("sender", Scope.ACCOUNT, message(1), says("SUBMIT", INVSRCADR)),
        Refusal("password", Scope.ACCOUNT, message(1), forget_password),
        Refusal("too-many-binds", Scope.ACCOUNT, message(1), says("BIND", ALYBND)),
        Refusal("own-code-at-bind", Scope.ACCOUNT, message(1), says("BIND", 0x412)),
    ),
    troubles=(
        Trouble("silence-at-connect", accident("CONNECT", hang=True), maybe_sent=False),
        Trouble("cut-at-connect", accident("CONNECT"), maybe_sent=False),
        Trouble("silence-at-bind", accident("BIND", hang=True), maybe_sent=False),
        Trouble("cut-at-bind", accident("BIND"), maybe_sent=False),
        Trouble("nonsense-at-bind", accident("BIND", nonsense=True), maybe_sent=False),
        Trouble("fault-at-bind", says("BIND", SYSERR), maybe_sent=False),
        Trouble("fault", says("SUBMIT", SYSERR), maybe_sent=False),
        Trouble("silence", accident("SUBMIT", hang=True), maybe_sent=True),
        Trouble("cut", accident("SUBMIT"), maybe_sent=True),
        Trouble("cut-after-taking", accident("SUBMIT", after_taking=True), maybe_sent=True),
        Trouble("nonsense", accident("SUBMIT", nonsense=True), maybe_sent=True),
    ),
    throttles=(
        Throttle("too-fast", says("SUBMIT", THROTTLED)),
        Throttle("queue-full", says("SUBMIT", MSGQFUL)),
        Throttle("too-fast-at-bind", says("BIND", THROTTLED)),
    ),
    listening=Listening(delivered, heard=heard),
    bad_credentials=forget_password,
    secrets=(PASSWORD,),
    recipient=lambda message: message.to.removeprefix("+"),
)
