"""Web push through SendPulse: a campaign to those whose variable has one value (sendpulse.com/integrations/api/web-push).

The service knows campaigns of a website and no single subscriber. What comes nearest is its filter by a variable
that the page sets for whoever subscribes there: with a value that nobody shares, the campaign is one person's.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from pydantic import Field

from channels.access_token import NoToken
from channels.base import (
    Accepted,
    AccountConfig,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Scope,
    Sent,
    Tells,
    Unavailable,
    one_each,
)
from channels.http import NoReply, ProviderHttp, unclear
from channels.push.payload import data_for_app, ttl
from channels.sendpulse import tasks
from channels.sendpulse.api import Api, SendpulseConfig
from channels.sendpulse.refusals import accepts, refusal

_LONGEST_TTL = 86_400
# Left out, the service takes five hours to send a campaign.
_STRETCH = timedelta(seconds=10)
_BUTTONS = 2


class SendpulsePushConfig(SendpulseConfig):
    """`variable`: which one of the website's holds the value that is the device's token here."""

    website_id: Annotated[int, Field(gt=0)]
    variable: Annotated[str, Field(min_length=1, max_length=100)] = "vestnik"


class SendpulsePush:
    Config: ClassVar[type[AccountConfig]] = SendpulsePushConfig
    channel: ClassVar[Channel] = Channel.PUSH
    provider: ClassVar[str] = "sendpulse"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # A website may start one campaign in fifteen minutes.
    limits: ClassVar[Limits] = Limits(per_second=1 / 900, concurrency=1)
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=3),
        timedelta(days=1),
    )
    # Each is a call.
    asks_at_once: ClassVar[int] = 10

    def __init__(self, config: SendpulsePushConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """The service counts by campaign, so what became of a message it tells of one receiver only."""
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        number, variable = self._config.website_id, self._config.variable
        try:
            site = await self._api.ask("GET", f"/push/websites/info/{number}")
            variables = await self._api.ask("GET", f"/push/websites/{number}/variables")
        except Unavailable as trouble:
            return Check(False, str(trouble))
        if not isinstance(site, dict) or str(site.get("id")) != str(number):
            return Check(False, f"SendPulse knows no website {number} (website_id)")
        name = f"website {number} ({site.get('url')})"
        if str(site.get("status")) not in ("active", "1"):
            return Check(False, f"SendPulse does not send for {name}: it is {site.get('status')}")
        known = [v.get("name") for v in _dicts(variables)]
        if variable not in known:
            return Check(False, f"{name} has no variable {variable!r} at SendPulse")
        return Check(True, f"SendPulse answers for {name}")

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        return await tasks.each(sent, self._read)

    async def _read(self, task: str, waiting: Sequence[Sent]) -> list[Receipt]:
        counters = await self._api.ask("GET", f"/push/tasks/{task}")
        status = _furthest(counters) if isinstance(counters, dict) else None
        return [Receipt(status, provider_id=s.provider_id) for s in waiting if status]

    async def _send(self, message: Message) -> Outcome:
        if not message.to.strip():
            # Equal to nothing is everybody who has no value.
            return Refused(Scope.RECIPIENT, "no-value", "a device without a value of the variable")
        try:
            reply = await self._api.call("POST", "/push/tasks", self._task(message))
            body = reply.json()
        except (NoReply, NoToken) as none:
            return none.outcome
        if reply.status != HTTPStatus.OK or not accepts(body):
            return refusal(reply, body)
        task = tasks.number(body.get("id"))
        return Accepted(task) if task else unclear(reply)

    def _task(self, message: Message) -> dict[str, Any]:
        task: dict[str, Any] = {
            "website_id": self._config.website_id,
            "title": message.subject or message.text,
            "body": message.text,
            "ttl": max(1, min(ttl(message, default=_LONGEST_TTL), _LONGEST_TTL)),
            "stretch_time": int(_STRETCH.total_seconds()),
            "filter": {
                "variable_name": self._config.variable,
                "operator": "and",
                "conditions": [{"condition": "equal", "value": message.to}],
            },
        }
        if link := data_for_app(message).get("url"):
            task["link"] = link
        if buttons := _buttons(message):
            # A text with JSON in it.
            task["buttons"] = json.dumps(buttons, ensure_ascii=False)
        return task


def _buttons(message: Message) -> list[dict[str, str]]:
    return [
        {"text": button.text, "link": button.url}
        for row in message.buttons
        for button in row
        if button.url
    ][:_BUTTONS]


def _furthest(counters: Mapping[str, Any]) -> ReceiptStatus | None:
    """Of the one receiver of a campaign, who may have subscribed in several browsers."""
    for name, status in (
        ("redirect", ReceiptStatus.CLICKED),
        ("delivered", ReceiptStatus.DELIVERED),
        ("send", ReceiptStatus.SENT),
    ):
        if tasks.number(counters.get(name)):
            return status
    return None


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []
