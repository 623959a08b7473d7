"""WhatsApp by Meta's Cloud API: one message a call, templates outside the 24 hours (developers.facebook.com)."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Channel,
    Check,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Refused,
    Tells,
    Told,
    one_each,
)
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.whatsapp import cloud_api_hook, errors
from channels.whatsapp.templates import Template, filled

_VERSIONED = re.compile(r"/v[0-9]+\.[0-9]+$")


class CloudApiConfig(AccountConfig):
    """`token` of a system user; `sender` is the id of the phone number, not the number.

    `app_secret` checks what Meta calls with, `verify_token` is what was entered beside the callback's address.
    `templates`: by the hub's names, `*` for all others. A version in `base_url` wins over `version`.
    """

    token: SecretStr = Field(min_length=1)
    sender: Annotated[str, Field(pattern=r"^[0-9]{5,20}$")]
    app_secret: SecretStr | None = None
    verify_token: SecretStr | None = None
    templates: Mapping[str, Template] = Field(default_factory=dict)
    version: Annotated[str, Field(pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$")] = "v24.0"
    base_url: BaseUrl = "https://graph.facebook.com"

    @property
    def root(self) -> str:
        if _VERSIONED.search(self.base_url):
            return self.base_url
        return f"{self.base_url}/{self.version}"


class CloudApi:
    Config: ClassVar[type[AccountConfig]] = CloudApiConfig
    channel: ClassVar[Channel] = Channel.WHATSAPP
    provider: ClassVar[str] = "cloud_api"
    # People can switch the receipts of reading off.
    tells: ClassVar[Tells] = Tells.READ
    # "Throughput" and "Pair rate limits": 80 a second of one number, about one in 6 s to one person.
    limits: ClassVar[Limits] = Limits(
        per_second=80, per_recipient=timedelta(seconds=6), concurrency=40
    )
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: CloudApiConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        fields = {"fields": "display_phone_number,verified_name,quality_rating"}
        try:
            reply = await self._http.get(
                f"{self._config.root}/{self._config.sender}", headers=self._headers, params=fields
            )
            body = reply.json()
        except NoReply as none:
            return Check(False, f"WhatsApp cannot be used now: {none.outcome.reason}")
        match body:
            case {"display_phone_number": str(number)}:
                return Check(True, f"{number}, {body.get('verified_name') or 'without a name'}")
            case {"error": error} if found := errors.read(error):
                return Check(False, f"WhatsApp refuses: {found.code} {self._clean(found.text)}")
        return Check(False, "WhatsApp answered something unreadable")

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return cloud_api_hook.read(
            request,
            sender=self._config.sender,
            app_secret=self._config.app_secret,
            verify_token=self._config.verify_token,
        )

    async def _send(self, message: Message) -> Outcome:
        content = self._content(message)
        if isinstance(content, Refused):
            return content
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.to.removeprefix("+"),
            **content,
            # Comes back with every status.
            "biz_opaque_callback_data": message.key,
        }
        try:
            reply = await self._http.post(
                f"{self._config.root}/{self._config.sender}/messages",
                headers=self._headers,
                json=body,
            )
            return self._outcome(reply, reply.json())
        except NoReply as none:
            return none.outcome

    def _content(self, message: Message) -> dict[str, Any] | Refused:
        if message.session_open:
            return {"type": "text", "text": {"body": message.text, "preview_url": False}}
        template = filled(self._config.templates, message)
        if isinstance(template, Refused):
            return template
        return {"type": "template", "template": template}

    def _outcome(self, reply: Reply, body: Any) -> Outcome:
        match body:
            case {"messages": [{"id": str(id_)}, *_]} if id_ and reply.status < 300:
                # Also of one that Meta holds back to see how its template is liked: a status will tell.
                return Accepted(id_)
            case {"error": value} if error := errors.read(value):
                outcome = errors.outcome_of(error, reply)
                if isinstance(outcome, Refused):
                    return Refused(
                        outcome.scope,
                        outcome.code,
                        self._clean(outcome.reason),
                        suppress=outcome.suppress,
                    )
                return outcome
        return unclear(reply)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._config.token.get_secret_value()}"}

    def _clean(self, text: str) -> str:
        """Meta quotes the token in some of its errors."""
        return text.replace(self._config.token.get_secret_value(), "***")
