"""Push through RuStore: one message a call to one app on one device, by the direct or the universal API.

Facts from rustore.ru/help: sdk/push-notifications/send-push-notifications (direct),
sdk/general-push-notifications/send-push-notifications (universal: api, examples), and, where those are silent,
from what clients of both were seen to expect.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    one_each,
)
from channels.http import NoReply, ProviderHttp, Reply
from channels.push import rustore_replies
from channels.push.payload import data_for_app, fitted, ttl

_HOSTS = {
    "direct": "https://vkpns.rustore.ru",
    "universal": "https://vkpns-universal.rustore.ru",
}
# Of a whole request to the universal API, credentials and all. The direct one speaks of 4096 bytes without
# saying of what: so it is safe.
_MAX_BYTES = 4096
_NO_DEVICE = "vestnik-check"


class RuStoreConfig(AccountConfig):
    """`api`: the one whose SDK the app is built with. `universal` apps drop what comes by the direct API without
    a word, and everything answers success."""

    token: SecretStr = Field(min_length=1)
    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
    api: Literal["direct", "universal"] = "direct"
    base_url: BaseUrl | None = None
    """Instead of the API's own."""


class RuStore:
    Config: ClassVar[type[AccountConfig]] = RuStoreConfig
    channel: ClassVar[Channel] = Channel.PUSH
    provider: ClassVar[str] = "rustore"
    tells: ClassVar[Tells] = Tells.SENT
    # There are limits (429), but no numbers.
    limits: ClassVar[Limits] = Limits(concurrency=20)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: RuStoreConfig, http: ProviderHttp) -> None:
        self._config = config
        self._base_url = config.base_url or _HOSTS[config.api]
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        # The universal API takes lists of tokens, but answers for all of them together.
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        """Writes to a device that cannot exist: only who may send is told that the device is bad."""
        name = f"RuStore project {self._config.project_id}, {self._config.api} API"
        match await self._send(Message(key="check", to=_NO_DEVICE, text="check", subject="check")):
            case Accepted() | Refused(Scope.RECIPIENT) | Refused(_, "INVALID_ARGUMENT"):
                return Check(ok=True, text=name)
            case Retry(reason):
                return Check(ok=False, text=f"{name} does not serve at the moment: {reason}")
            case Refused(_, code, reason):
                return Check(ok=False, text=f"{name}: {code}: {reason}")
            case outcome:
                raise AssertionError(outcome)

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def _send(self, message: Message) -> Outcome:
        body = fitted(message.text, _MAX_BYTES, partial(self._body, message))
        if body is None:
            return Refused(
                Scope.MESSAGE,
                "too-big",
                f"title and data leave no room for the text in {_MAX_BYTES} bytes",
            )
        try:
            if self._config.api == "universal":
                return rustore_replies.universal(await self._post("v1/send", body), message)
            path = f"v1/projects/{self._config.project_id}/messages:send"
            token = self._config.token.get_secret_value()
            reply = await self._post(path, body, Authorization=f"Bearer {token}")
            return rustore_replies.direct(reply, message)
        except NoReply as none:
            return none.outcome

    def _body(self, message: Message, text: str) -> bytes:
        content = _content(message, text)
        if self._config.api == "direct":
            return _json({"message": {"token": message.to, **content}})
        credentials = {
            "project_id": self._config.project_id,
            "auth_token": self._config.token.get_secret_value(),
        }
        return _json(
            {
                "providers": {"rustore": credentials},
                "tokens": {"rustore": [message.to]},
                "message": content,
            }
        )

    async def _post(self, path: str, body: bytes, **headers: str) -> Reply:
        return await self._http.post(
            f"{self._base_url}/{path}",
            headers={"Content-Type": "application/json", **headers},
            data=body,
        )


def _content(message: Message, text: str) -> dict[str, Any]:
    """What is the same in both APIs. No field to replace an older message is known."""
    notification = {"body": text}
    if message.subject:
        notification["title"] = message.subject
    content: dict[str, Any] = {"notification": notification, "data": data_for_app(message)}
    if message.expires_at:
        content["android"] = {"ttl": f"{ttl(message, default=0)}s"}
    return content


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
