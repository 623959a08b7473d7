"""Letters through Mailchimp Transactional, also known as Mandrill (mailchimp.com/developer/transactional/api)."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from channels.ascii_url import ascii_url
from channels.base import (
    AccountConfig,
    BaseUrl,
    Category,
    Channel,
    Check,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Receipt,
    Refused,
    Scope,
    Sent,
    Tells,
    Told,
    Unavailable,
)
from channels.batches import calls
from channels.email import mailchimp_transactional_answers as answers
from channels.email import mailchimp_transactional_receipts as receipts
from channels.email import merging
from channels.email.mime import one_line
from channels.email.sender import MailboxField, OwnMailboxField
from channels.http import NoReply, ProviderHttp, Reply

# From the eleventh recipient on a call is asynchronous: all are "queued", and rejections come by callback alone.
_RECIPIENTS = 10
_SUBJECT_LENGTH = 998
# What they show of a field with nothing in it is not documented.
_TAGS = merging.Tags("*|", "|*", signs="*|", names="FIELD_", empty=False, largest=2_000_000)


class MailchimpTransactionalConfig(AccountConfig):
    """`token` is an API key; with a test key nothing leaves.

    `webhook_key` is the key that they show beside the webhook; it checks what they call back with. `hook_url`: its
    address exactly as it is registered there, where that is not the hub's own.
    """

    token: SecretStr = Field(min_length=1)
    sender: OwnMailboxField = Field(alias="from")
    reply_to: MailboxField | None = None
    subaccount: str = ""
    track_links: bool = False
    track_read: bool = False
    hook_url: str = ""
    webhook_key: SecretStr | None = None
    base_url: BaseUrl = "https://mandrillapp.com/api/1.0"

    @model_validator(mode="after")
    def _whole_address(self) -> Self:
        if self.hook_url and not self.hook_url.startswith(("http://", "https://")):
            raise ValueError("hook_url must be the whole address, as registered at the provider")
        return self


class MailchimpTransactional:
    Config: ClassVar[type[AccountConfig]] = MailchimpTransactionalConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "mailchimp_transactional"
    # "Delivered" is told only to whoever asks; opens by callback.
    tells: ClassVar[Tells] = Tells.DELIVERED
    # No rate is published; above the hourly quota letters are taken and wait there.
    limits: ClassVar[Limits] = Limits()
    deduplicates: ClassVar[timedelta] = timedelta(0)
    # Deliveries are mostly known within a minute; receivers that defer take hours.
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=2),
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
    )
    asks_at_once: ClassVar[int] = 10

    def __init__(self, config: MailchimpTransactionalConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """Letters of one skeleton get calls of their own where there are enough of them to fill one."""
        alone = [message for message in messages if not message.unsubscribe_url]
        merged = merging.shared(alone, _TAGS, _RECIPIENTS)

        def kind(message: Message) -> Hashable:
            own = merged.get(message.key)
            return (own.skeleton, _is_sensitive(message)) if own else _kind(message)

        return calls(messages, limit=_RECIPIENTS, alike=kind)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """One call; one more for each only where the whole is refused for what may be the fault of one of them."""
        outcomes = await self._call(messages)
        if answers.blame_one_of_many(outcomes):
            return [(await self._call([message]))[0] for message in messages]
        return outcomes

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        """One call for each: they have none for many."""
        told: list[Receipt] = []
        for message in sent:
            try:
                told += await self._info(message)
            except Unavailable:
                if told:
                    break
                raise
        return told

    async def check(self) -> Check:
        host = urlsplit(self._config.base_url).hostname
        try:
            answer = (await self._post("users/ping2", {})).json()
            if not (isinstance(answer, dict) and "PING" in answer):
                return Check(False, f"{host} refuses: {answers.said(answer)}")
            domains = (await self._post("senders/domains", {})).json()
        except NoReply as none:
            return Check(False, f"{host} cannot be used now: {none.outcome.reason}")
        return answers.of_sender(f"{host} answers", self._config.sender.domain, domains)

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return receipts.read(
            request, self._config.hook_url or request.url, self._config.webhook_key
        )

    async def _call(self, messages: Sequence[Message]) -> list[Outcome]:
        if max(len(one_line(message.subject)) for message in messages) > _SUBJECT_LENGTH:
            reason = f"a subject has {_SUBJECT_LENGTH} characters at most"
            return [Refused(Scope.MESSAGE, "subject-too-long", reason)] * len(messages)
        fields = {"message": self._payload(messages), "async": False}
        try:
            return answers.outcomes(messages, await self._post("messages/send", fields))
        except NoReply as none:
            return [none.outcome] * len(messages)

    async def _info(self, message: Sent) -> list[Receipt]:
        try:
            answer = (await self._post("messages/info", {"id": message.provider_id})).json()
        except NoReply as none:
            raise Unavailable(
                f"Mailchimp Transactional tells nothing: {none.outcome.reason}"
            ) from None
        if isinstance(answer, dict) and answer.get("name") == "Unknown_Message":
            # Not in their search yet, or not any more.
            return []
        if not (isinstance(answer, dict) and "state" in answer):
            raise Unavailable(f"Mailchimp Transactional refuses: {answers.said(answer)}")
        return receipts.of_info(message, answer)

    async def _post(self, method: str, fields: Mapping[str, Any]) -> Reply:
        key = self._config.token.get_secret_value()
        return await self._http.post(
            f"{self._config.base_url}/{method}", json={"key": key, **fields}
        )

    def _payload(self, messages: Sequence[Message]) -> dict[str, Any]:
        first = messages[0]
        (subject, text, html), values = merging.letter(messages, _TAGS, _NAMES)
        sensitive = _is_sensitive(first)
        payload: dict[str, Any] = {
            "from_email": self._config.sender.address,
            "from_name": self._config.sender.name,
            "to": [_recipient(message) for message in messages],
            "subject": subject,
            "text": text,
            "auto_text": False,
            "auto_html": False,
            # Else the settings of the account decide, and people see each other's addresses.
            "preserve_recipients": False,
            "track_opens": self._config.track_read,
            "track_clicks": self._config.track_links,
            "important": sensitive,
            "merge": bool(values),
            "merge_language": "mailchimp",
            "recipient_metadata": [
                {"rcpt": message.to, "values": {"delivery": message.key}} for message in messages
            ],
            "headers": self._headers(first),
        }
        if html:
            payload["html"] = html
        if values:
            payload["merge_vars"] = [
                _values(m, own) for m, own in zip(messages, values, strict=True)
            ]
        if sensitive:
            # Codes and links to passwords are not kept for their console to show.
            payload["view_content_link"] = False
        if self._config.subaccount:
            payload["subaccount"] = self._config.subaccount
        return payload

    def _headers(self, message: Message) -> dict[str, str]:
        headers: dict[str, str] = {}
        if reply_to := self._config.reply_to:
            headers["Reply-To"] = reply_to.address
        if message.unsubscribe_url:
            headers["List-Unsubscribe"] = f"<{ascii_url(message.unsubscribe_url)}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


_NAMES = ("LETTER_SUBJECT", "LETTER_TEXT", "LETTER_HTML")


def _is_sensitive(message: Message) -> bool:
    return message.category is Category.SECURITY


def _kind(message: Message) -> Hashable:
    """With what a letter may share a call.

    Headers are the call's, so a letter with a link of its own to unsubscribe goes alone. Whether merged values are
    looked through for tags again is not documented, so what holds a tag is merged with nothing.
    """
    if message.unsubscribe_url:
        return "header", message.key
    content = merging.content(message)
    tagged = any(_TAGS.opening in part for part in (*content, message.to_name))
    return bool(message.html), _is_sensitive(message), content if tagged else None


def _recipient(message: Message) -> dict[str, str]:
    name = one_line(message.to_name)
    return {"email": message.to, "type": "to"} | ({"name": name} if name else {})


def _values(message: Message, own: Mapping[str, str]) -> dict[str, Any]:
    named = [{"name": name, "content": value} for name, value in own.items()]
    return {"rcpt": message.to, "vars": named}
