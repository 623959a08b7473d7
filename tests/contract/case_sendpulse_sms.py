"""SendPulse's SMS against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.sms.sendpulse import SendpulseSms, SendpulseSmsConfig
from tests.contract.case_sendpulse_email import no_token, revoke, says
from tests.contract.cases import HTTP_TROUBLES, Asking, Case, Refusal, Throttle, Trouble, fault
from tests.simulators.base import Sent
from tests.simulators.sendpulse import CLIENT_ID, CLIENT_SECRET, TOKENS
from tests.simulators.sendpulse_tasks import SMS_SENDER, SendpulseTasksSimulator


def build(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> Adapter:
    config = SendpulseSmsConfig.model_validate(
        {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "sender": SMS_SENDER,
            "base_url": simulator.url,
        }
    )
    return SendpulseSms(config, http)


def message(number: int, text: str = "Заказ 1001 принят") -> Message:
    return Message(key=f"key-{number}", to=f"+7999000000{number}", text=text, batch_key="batch-1")


def leaves_out(simulator: SendpulseTasksSimulator) -> None:
    simulator.left_out.add("+79990000009")


def rejects_sender(simulator: SendpulseTasksSimulator) -> None:
    simulator.sms_senders[0]["status"] = 2


def arrives(simulator: SendpulseTasksSimulator, sent: Sent) -> None:
    simulator.states[sent.provider_id] = {"status": 2, "status_explain": "Delivered"}


CASE = Case(
    channel=Channel.SMS,
    provider="sendpulse",
    simulator=SendpulseTasksSimulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("left-out", Scope.RECIPIENT, message(9), leaves_out),
        Refusal("no-phone", Scope.RECIPIENT, Message("key-x", "+7", "Text", batch_key="batch-1")),
        Refusal("no-text", Scope.MESSAGE, message(1, "")),
        Refusal("wrong-secret", Scope.ACCOUNT, message(1), revoke),
        Refusal("sender", Scope.ACCOUNT, message(1), rejects_sender),
        Refusal("no-money", Scope.ACCOUNT, message(1), says(422, 707)),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("no-token", no_token, maybe_sent=False)),
    throttles=(
        Throttle("ten-a-second", says(400, 2020202020), timedelta(seconds=1)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"result": true}',
        '{"result": true, "campaign_id": null, "counters": []}',
        '{"result": true, "campaign_id": [1], "counters": {"exceptions": "1"}}',
        '{"result": true, "campaign_id": 0}',
    ),
    asking=Asking(arrives),
    bad_credentials=revoke,
    secrets=(CLIENT_SECRET, TOKENS),
    warm=True,
)
