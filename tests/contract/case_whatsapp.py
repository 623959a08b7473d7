"""WhatsApp's Cloud API against the contract suite."""

from datetime import timedelta
from typing import Any

from channels.base import Adapter, Channel, HookRequest, Message, Scope
from channels.http import ProviderHttp
from channels.whatsapp.cloud_api import CloudApi, CloudApiConfig
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
from tests.simulators.whatsapp import (
    NUMBER_ID,
    SECRET,
    TOKEN,
    VERIFY,
    Approved,
    WhatsAppSimulator,
    signed,
    status,
    webhook,
    written,
)


def simulator() -> WhatsAppSimulator:
    made = WhatsAppSimulator()
    made.templates["order_shipped", "ru"] = Approved(parameters=1)
    return made


def build(simulator: WhatsAppSimulator, http: ProviderHttp) -> Adapter:
    config = {
        "token": TOKEN,
        "sender": NUMBER_ID,
        "app_secret": SECRET,
        "verify_token": VERIFY,
        "base_url": simulator.url,
        "templates": {
            "order.shipped": {"name": "order_shipped", "body": ["order.number"]},
            "order.paid": {"name": "order_paid", "body": ["order.number"]},
        },
    }
    return CloudApi(CloudApiConfig.model_validate(config), http)


def message(number: int, **more: Any) -> Message:
    given: dict[str, Any] = {
        "key": f"key-{number}",
        "to": f"+7999000000{number}",
        "text": f"Заказ {number} отправлен",
        "template": "order.shipped",
        "locale": "ru",
        "values": {"order": {"number": str(1000 + number)}},
    }
    return Message(**given | more)


def says(code: int) -> Arrange:
    def arrange(simulator: WhatsAppSimulator) -> None:
        simulator.code = code

    return arrange


def not_there(simulator: WhatsAppSimulator) -> None:
    simulator.codes["79990000009"] = 131026


def enough_marketing(simulator: WhatsAppSimulator) -> None:
    simulator.codes["79990000009"] = 131049


def revoke(simulator: WhatsAppSimulator) -> None:
    simulator.token = "another"


def delivered(simulator: WhatsAppSimulator, sent: Sent) -> HookRequest:
    return webhook(statuses=[status(sent, "delivered")])


def forged(simulator: WhatsAppSimulator, sent: Sent) -> HookRequest:
    return webhook(statuses=[status(sent, "read")], secret="another")


def heard(simulator: WhatsAppSimulator) -> HookRequest:
    return webhook(messages=[written("79990000001", "Где мой заказ?")])


def sealed(body: bytes) -> HookRequest:
    """Rubbish that is signed all the same."""
    return signed(body)


CASE = Case(
    channel=Channel.WHATSAPP,
    provider="cloud_api",
    simulator=simulator,
    build=build,
    messages=(message(1), message(2), message(3)),
    refusals=(
        Refusal("not-there", Scope.RECIPIENT, message(9), not_there),
        Refusal("enough-marketing", Scope.RECIPIENT, message(9), enough_marketing),
        Refusal("no-mapping", Scope.MESSAGE, message(1, template="order.returned")),
        Refusal("no-value", Scope.MESSAGE, message(1, values={"order": {"number": None}})),
        Refusal("not-approved", Scope.MESSAGE, message(1, template="order.paid")),
        Refusal("window-closed", Scope.MESSAGE, message(1, session_open=True)),
        Refusal("paused-template", Scope.MESSAGE, message(1), says(132015)),
        Refusal("wrong-token", Scope.ACCOUNT, message(1), revoke),
        Refusal("payment", Scope.ACCOUNT, message(1), says(131042)),
        Refusal("rights", Scope.ACCOUNT, message(1), says(10)),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("code-131000", says(131000), maybe_sent=False)),
    throttles=(
        Throttle("app-limit", says(4)),
        Throttle("throughput", says(130429)),
        Throttle("pair", says(131056), timedelta(seconds=6)),
        Throttle("html-429", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=(
        '{"messages": []}',
        '{"messages": [{}]}',
        '{"messages": [{"id": 7}]}',
        '{"messages": [{"id": ""}]}',
        '{"error": {}}',
        '{"error": {"code": "190"}}',
    ),
    hook=Hook(delivered, forged, heard=heard, sealed=sealed),
    bad_credentials=revoke,
    secrets=(TOKEN, SECRET, VERIFY),
    recipient=lambda message: message.to.removeprefix("+"),
)
