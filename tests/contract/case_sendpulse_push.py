"""SendPulse's web push against the contract suite."""

from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.push.sendpulse import SendpulsePush, SendpulsePushConfig
from tests.contract.case_sendpulse_email import revoke, says
from tests.contract.cases import HTTP_TROUBLES, Asking, Case, Refusal, Throttle, fault
from tests.simulators.base import Sent
from tests.simulators.sendpulse import KEY
from tests.simulators.sendpulse_tasks import WEBSITE, SendpulseTasksSimulator


def build(simulator: SendpulseTasksSimulator, http: ProviderHttp) -> Adapter:
    config = SendpulsePushConfig.model_validate(
        {"token": KEY, "website_id": WEBSITE, "base_url": simulator.url}
    )
    return SendpulsePush(config, http)


def message(name: str) -> Message:
    return Message(key=f"key-{name}", to=f"v-{name}", subject="Ромашка", text="Заказ 1001 принят")


def waits(simulator: SendpulseTasksSimulator) -> None:
    simulator.waiting = True


def arrives(simulator: SendpulseTasksSimulator, sent: Sent) -> None:
    simulator.states[sent.provider_id] = {"send": "1", "delivered": 1}


CASE = Case(
    channel=Channel.PUSH,
    provider="sendpulse",
    simulator=SendpulseTasksSimulator,
    build=build,
    messages=(message("anna"), message("boris"), message("vera")),
    refusals=(
        Refusal("no-value", Scope.RECIPIENT, Message("key-x", " ", "Text", subject="Ромашка")),
        Refusal("no-text", Scope.MESSAGE, Message("key-x", "v-anna", "", subject="Ромашка")),
        Refusal("wrong-key", Scope.ACCOUNT, message("anna"), revoke),
        Refusal("plan", Scope.ACCOUNT, message("anna"), says(403, 3030303030)),
    ),
    troubles=HTTP_TROUBLES,
    throttles=(
        Throttle("a-campaign-in-15-minutes", waits, timedelta(minutes=15)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=('{"result": true}', '{"result": true, "id": null}', '{"result": true, "id": 0}'),
    asking=Asking(arrives),
    bad_credentials=revoke,
    secrets=(KEY,),
)
