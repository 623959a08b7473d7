"""SendPulse's Viber against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, ReceiptStatus, Scope
from channels.http import ProviderHttp
from channels.viber.sendpulse import SendpulseViber, SendpulseViberConfig
from tests.contract.case_sendpulse_email import revoke, says
from tests.contract.cases import HTTP_TROUBLES, Asking, Case, Refusal, Throttle, fault
from tests.simulators.base import Sent
from tests.simulators.sendpulse import KEY
from tests.simulators.sendpulse_tasks import VIBER_SENDER, SendpulseTasksSimulator


def build(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> Adapter:
    config = SendpulseViberConfig.model_validate(
        {"token": KEY, "sender_id": VIBER_SENDER, "base_url": simulator.url}
    )
    return SendpulseViber(config, http)


def message(number: int, text: str = "Заказ 1001 принят") -> Message:
    return Message(key=f"key-{number}", to=f"+7999000000{number}", text=text, batch_key="batch-1")


def approves_nothing(simulator: SendpulseTasksSimulator) -> None:
    simulator.templates = set()


def pending(simulator: SendpulseTasksSimulator) -> None:
    simulator.viber_senders[0]["status"] = "pending"


def is_read(simulator: SendpulseTasksSimulator, sent: Sent) -> None:
    simulator.states[sent.provider_id] = {"status": "read"}


CASE = Case(
    channel=Channel.VIBER,
    provider="sendpulse",
    simulator=SendpulseTasksSimulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal(
            "no-phone",
            Scope.RECIPIENT,
            Message("key-x", "+7", "Заказ 1001 принят", batch_key="batch-1"),
        ),
        Refusal("too-long", Scope.MESSAGE, message(1, "я" * 1001)),
        Refusal("no-template", Scope.MESSAGE, message(1), approves_nothing),
        Refusal("wrong-key", Scope.ACCOUNT, message(1), revoke),
        Refusal("sender", Scope.ACCOUNT, message(1), pending),
        Refusal("no-money", Scope.ACCOUNT, message(1), says(422, 707)),
    ),
    troubles=HTTP_TROUBLES,
    throttles=(
        Throttle("ten-a-second", says(400, 2020202020), timedelta(seconds=1)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"success": true}',
        '{"success": true, "data": []}',
        '{"result": true, "data": {"task_id": null}}',
        '{"success": true, "data": {"task_id": "0"}}',
    ),
    asking=Asking(is_read, ReceiptStatus.READ),
    bad_credentials=revoke,
    secrets=(KEY,),
)
