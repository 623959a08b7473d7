"""A mail server against the contract suite."""

from typing import Any

from channels.base import Adapter, Channel, Message, Scope
from channels.email.smtp import Smtp, SmtpConfig
from channels.http import ProviderHttp
from tests.contract.cases import PATIENCE, Arrange, Case, Refusal, Throttle, Trouble
from tests.simulators.smtp import Accident, SmtpSimulator

PASSWORD = "pass-word-1"


def simulator() -> SmtpSimulator:
    return SmtpSimulator(username="shop", password=PASSWORD, size=20_000)


def build(server: SmtpSimulator, http: ProviderHttp) -> Adapter:
    config = SmtpConfig.model_validate(
        {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "username": "shop",
            "password": PASSWORD,
            "from": "Ромашка <shop@example.com>",
            "timeout": PATIENCE,
        }
    )
    return Smtp(config, http)


def accident(at: str, **how: Any) -> Arrange:
    def arrange(server: SmtpSimulator) -> None:
        server.accident = Accident(at, **how)

    return arrange


def says(command: str, answer: str) -> Arrange:
    def arrange(server: SmtpSimulator) -> None:
        server.answers[command] = answer

    return arrange


def refuses(address: str, answer: str) -> Arrange:
    def arrange(server: SmtpSimulator) -> None:
        server.refused[address] = answer

    return arrange


def forget_password(server: SmtpSimulator) -> None:
    server.password = "another"


def message(name: str, text: str = "Заказ принят") -> Message:
    return Message(key=f"key-{name}", to=f"{name}@example.com", text=text, subject="Заказ 1001")


CASE = Case(
    channel=Channel.EMAIL,
    provider="smtp",
    simulator=simulator,
    build=build,
    messages=(message("anna"), message("boris"), message("vera")),
    refusals=(
        Refusal(
            "unknown-user",
            Scope.RECIPIENT,
            message("nobody"),
            refuses("nobody@example.com", "550 5.1.1 User unknown"),
        ),
        Refusal("too-big", Scope.MESSAGE, message("anna", "а" * 50_000)),
        Refusal("spam", Scope.MESSAGE, message("anna"), says("DATA", "554 5.7.1 Looks like spam")),
        Refusal("password", Scope.ACCOUNT, message("anna"), forget_password),
        Refusal("sender", Scope.ACCOUNT, message("anna"), says("MAIL", "553 5.7.1 Not yours")),
    ),
    troubles=(
        Trouble("no-greeting", accident("CONNECT", hang=True), maybe_sent=False),
        Trouble("cut-at-greeting", accident("CONNECT"), maybe_sent=False),
        Trouble("busy", says("CONNECT", "421 4.3.2 Try again later"), maybe_sent=False),
        Trouble("silence-after-sender", accident("MAIL", hang=True), maybe_sent=False),
        Trouble("cut-at-recipient", accident("RCPT"), maybe_sent=False),
        Trouble("451-at-data", says("DATA", "451 4.3.0 Local error"), maybe_sent=False),
        Trouble("silence-after-letter", accident("DATA", hang=True), maybe_sent=True),
        Trouble("cut-after-letter", accident("DATA", after_taking=True), maybe_sent=True),
        Trouble("nonsense-after-letter", says("DATA", "2OO Ok"), maybe_sent=True),
    ),
    throttles=(
        Throttle("greylisted", says("RCPT", "450 4.7.1 Greylisted, come back in 5 minutes")),
        Throttle("too-fast", says("MAIL", "421 4.7.0 Too many letters at once")),
    ),
    bad_credentials=forget_password,
    secrets=(PASSWORD,),
)
