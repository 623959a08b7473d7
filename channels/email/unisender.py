"""Letters through Unisender's classic API, one a call (method sendEmail: unisender.com/ru/support/api)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from channels.base import (
    Accepted,
    AccountConfig,
    Channel,
    Check,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Scope,
    Sent,
    Tells,
    Told,
    Unavailable,
    one_each,
)
from channels.email import unisender_hook
from channels.email.mime import one_line
from channels.email.sender import OwnMailboxField
from channels.http import NoReply, ProviderHttp
from channels.unisender.api import (
    PER_RECIPIENT,
    Api,
    Failed,
    Meaning,
    Unanswered,
    UnisenderConfig,
    fault,
    greeting,
    outcome,
    unreadable,
    wrong,
)

_IDS = 500

# Codes of sendEmail with error_checking=1, said of the address.
_MEANINGS: Mapping[str, Meaning] = {
    "invalid_email": Meaning(Scope.RECIPIENT, suppress=True),
    "empty_sender_name": Meaning(Scope.ACCOUNT),
    "invalid_sender_email": Meaning(Scope.ACCOUNT),
    "unchecked_sender_email": Meaning(Scope.ACCOUNT),
    **dict.fromkeys(
        (
            *("body_empty", "body_exceeds_length", "empty_subject", "subject_exceeds_length"),
            *("attachment_is_not_bytestring", "attachment_quota_error", "cc_exceeded"),
            *("wrong_header_parameter", "header_not_allowed", "unsupported_lang"),
            "unsubscribe_link_missing",
        ),
        Meaning(Scope.MESSAGE),
    ),
}
_ARGUMENTS: Mapping[str, Meaning] = {
    "email": Meaning(Scope.RECIPIENT),
    "list_id": Meaning(Scope.ACCOUNT),
    "sender_name": Meaning(Scope.ACCOUNT),
    "sender_email": Meaning(Scope.ACCOUNT),
}

# Of the line with the link to unsubscribe, which the service adds; other locales get the account's own.
_LANGUAGES = frozenset({"ru", "en", "da", "de", "es", "fr", "nl", "pl", "pt", "tr"})


class UnisenderEmailConfig(UnisenderConfig):
    """`from` needs a name, and an address that was confirmed by the link in a letter of theirs.

    `list_id`: the list that a person leaves by the link which the service puts under every letter.
    """

    sender: OwnMailboxField = Field(alias="from")
    list_id: int = Field(gt=0)
    track_read: bool = False
    track_links: bool = False

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not one_line(self.sender.name):
            raise ValueError('from must have a name: "Ромашка <shop@example.com>"')
        return self


class UnisenderEmail:
    Config: ClassVar[type[AccountConfig]] = UnisenderEmailConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "unisender"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # sendEmail: 60 calls a minute. Beside it 1200 a minute for all methods.
    limits: ClassVar[Limits] = Limits(per_second=1.0, per_recipient=PER_RECIPIENT)
    # `ref_key` "must be unique", but what becomes of a second letter with the same one is not documented.
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
        timedelta(days=3),
    )
    asks_at_once: ClassVar[int] = _IDS

    def __init__(self, config: UnisenderEmailConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)
        self._unanswered = Unanswered()

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """The reference knows one address a call. Clients pass several, but whether the people then see each other
        is told nowhere, and the metadata would be the same for all."""
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        [message] = messages
        try:
            result = _outcome(await self._api.call("sendEmail", self._form(message)), message)
        except NoReply as none:
            result = none.outcome
        except Failed as no:
            result = _refused(no, message)
        result = self._unanswered.settle(message, result)
        self._unanswered.note([message], [result])
        return [result]

    async def check(self) -> Check:
        try:
            account = await self._api.account()
            return await self._sender(greeting(account), str(account.get("login") or ""))
        except (NoReply, Failed) as error:
            return wrong(error)

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return unisender_hook.read(request, self._config.token, self._config.list_id)

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        """Statuses are kept for a month."""
        keys = {letter.provider_id: letter.key for letter in sent if letter.provider_id}
        if not keys:
            return []
        told = await self._api.ask("checkEmail", {"email_id": ",".join(keys)})
        statuses = told.get("statuses") if isinstance(told, dict) else None
        if not isinstance(statuses, list):
            raise Unavailable("Unisender gives an answer without statuses")
        return list(_news(statuses, keys))

    async def _sender(self, known: str, login: str) -> Check:
        """Whether letters in this name will be taken."""
        address = self._config.sender.address
        try:
            listed = await self._api.call("getCheckedEmail", {"login": login, "email": address})
        except Failed as no:
            # The key itself holds; not every one may ask this.
            return Check(True, f"{known}; does not tell whether {address} is confirmed: {no.code}")
        senders = {
            str(entry.get("email")).casefold(): entry.get("is_checked")
            for entry in (listed if isinstance(listed, list) else [])
            if isinstance(entry, dict)
        }
        if str(senders.get(address.casefold())).lower() in ("true", "1"):
            return Check(True, f"{known}; {address} is confirmed")
        return Check(
            False,
            f"{known}, but {address} is not a confirmed sender: add it in Unisender's console and follow the"
            " link in the letter that comes to it",
        )

    def _form(self, message: Message) -> dict[str, str]:
        form = {
            "email": _recipient(message),
            "sender_name": one_line(self._config.sender.name),
            "sender_email": self._config.sender.address,
            "subject": one_line(message.subject),
            # There is no place for the plain text beside it.
            "body": message.html or escape(message.text, quote=False).replace("\n", "<br>\n"),
            "list_id": str(self._config.list_id),
            "track_read": str(int(self._config.track_read)),
            "track_links": str(int(self._config.track_links)),
            "error_checking": "1",
            "metadata[delivery]": message.key,
        }
        if (language := message.locale[:2].lower()) in _LANGUAGES:
            form["lang"] = language
        return form


def _recipient(message: Message) -> str:
    """With the name only where nothing in it could be read as a part of an address."""
    name = one_line(message.to_name)
    plain = name and not any(char in ',;:<>@"()[]\\' for char in name)
    return f"{name} <{message.to}>" if plain else message.to


def _outcome(result: Any, message: Message) -> Outcome:
    """`[{"index": 0, "email": …, "id": …}]`, or `errors` instead of `id`; older accounts `{"email_id": …}`."""
    entry = result[0] if isinstance(result, list) and len(result) == 1 else result
    if not isinstance(entry, dict):
        return unreadable()
    if no := fault(entry):
        return _refused(no, message)
    email_id = entry.get("id") or entry.get("email_id")
    if isinstance(email_id, str | int) and not isinstance(email_id, bool):
        return Accepted(str(email_id))
    return unreadable()


def _refused(no: Failed, message: Message) -> Outcome:
    return outcome(no, message, meanings=_MEANINGS, arguments=_ARGUMENTS)


def _news(statuses: Sequence[Any], keys: Mapping[str, str]) -> Iterator[Receipt]:
    for entry in statuses:
        email_id = str(entry.get("id")) if isinstance(entry, dict) else ""
        if email_id in keys:
            told = unisender_hook.receipts(
                str(entry.get("status")), provider_id=email_id, key=keys[email_id]
            )
            yield from (receipt for receipt in told if receipt.status is not ReceiptStatus.SENT)
