"""Letters through Sendsay: one a call, or one content to many who are in its base (docs.sendsay.ru/sendsay-api)."""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Category,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Receipt,
    Refused,
    Retry,
    Scope,
    Sent,
    Tells,
    Unavailable,
    one_each,
)
from channels.batches import calls
from channels.email import sendsay_statistics as statistics
from channels.email.mime import one_line
from channels.email.sender import MailboxField, OwnMailboxField, ascii_address
from channels.email.sendsay_api import Credentials, Failed, SendsayApi, without
from channels.http import ProviderHttp

# No maximum is published; a thousand lines of addresses are some 30 kB.
_LIST = 1000

Address = Annotated[str, AfterValidator(ascii_address)]


class SendsayConfig(AccountConfig):
    """`login` is the account; with it `token`, an API key, or `password` (of the user `sublogin`, if one is named).

    `mass_from`: from how many equal marketing letters on they leave as one express issue; None: never. `test_to`:
    every letter goes to these addresses, as a test, and to nobody else.
    """

    login: str = Field(min_length=1)
    token: SecretStr | None = None
    sublogin: str = ""
    password: SecretStr | None = None
    sender: OwnMailboxField = Field(alias="from")
    reply_to: MailboxField | None = None
    mass_from: Annotated[int, Field(ge=2)] | None = None
    test_to: tuple[Address, ...] = ()
    base_url: BaseUrl = "https://api.sendsay.ru"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        key = bool(self.token and self.token.get_secret_value())
        word = bool(self.password and self.password.get_secret_value())
        if key == word:
            raise ValueError("needs either token, or password (and sublogin)")
        if key and self.sublogin:
            raise ValueError("sublogin belongs to password; a token knows its user")
        return self

    @property
    def credentials(self) -> Credentials:
        if self.token and self.token.get_secret_value():
            return Credentials(self.login, token=self.token)
        return Credentials(self.login, sublogin=self.sublogin, password=self.password)


class Sendsay:
    Config: ClassVar[type[AccountConfig]] = SendsayConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "sendsay"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # Their limits are the account's own and not published.
    limits: ClassVar[Limits] = Limits()
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=5),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
        timedelta(days=3),
    )
    # Two calls for each letter.
    asks_at_once: ClassVar[int] = 10

    def __init__(self, config: SendsayConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = SendsayApi(config.base_url, config.credentials, http)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        least = self._config.mass_from
        if least is None or self._config.test_to:
            return one_each(messages)
        equal = Counter(_content(message) for message in messages if _may_be_mass(message))

        def kind(message: Message) -> Hashable:
            content = _content(message)
            if _may_be_mass(message) and equal[content] >= least:
                return content
            return message.key

        return calls(messages, limit=_LIST, alike=kind)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Several are one express issue with the content of the first; `split` sees to it that they are equal."""
        addresses = [message.to for message in messages]
        try:
            answer = await self._api.call("issue.send", self._issue(messages))
        except Failed as failed:
            outcome = failed.outcome
            if len(messages) > 1 and isinstance(outcome, Refused):
                outcome = _of_nobody(outcome)
            return [without(outcome, addresses)] * len(messages)
        track = answer.get("track.id")
        if isinstance(track, bool) or not isinstance(track, int | str) or not track:
            return [Retry("no-track-id", maybe_sent=True)] * len(messages)
        if len(messages) == 1:
            return [Accepted(str(track))]
        # A track is the whole issue, so alone it would name all its letters.
        return [Accepted(f"{track}:{message.key}") for message in messages]

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        """Whether the issue left, and then of each address what the statistics say."""
        told: list[Receipt] = []
        states: dict[str, int] = {}
        for message in sent:
            try:
                told += await self._ask(message, states)
            except (Failed, ValueError) as error:
                if told:
                    break
                text = str(error).replace(message.to, "(address)")
                raise Unavailable(f"Sendsay tells nothing: {text}") from None
        return told

    async def check(self) -> Check:
        host = urlsplit(self._config.base_url).hostname
        try:
            # `ping` is answered to anybody; `pong` is the one that needs the credentials.
            pong = await self._api.call("pong")
        except Failed as failed:
            verb = "refuses" if isinstance(failed.outcome, Refused) else "cannot be used now"
            return Check(False, f"{host} {verb}: {failed.outcome.reason}")
        if "account" not in pong:
            return Check(False, f"{host} gives an answer that is none")
        answers = f"{host} answers for account {pong['account']}"
        try:
            senders = await self._api.call("issue.emailsender.list")
        except Failed:
            return Check(True, f"{answers}; whether the sender is confirmed could not be asked")
        return _of_sender(answers, self._config.sender.address, senders.get("list"))

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def _ask(self, message: Sent, states: dict[str, int]) -> list[Receipt]:
        track, *_ = message.provider_id.partition(":")
        if track not in states:
            states[track] = statistics.state(await self._api.call("track.get", {"id": track}))
        if states[track] != statistics.LEFT:
            return statistics.of_state(message, states[track])
        query = statistics.query(message, datetime.now(UTC))
        return statistics.verdict(message, await self._api.call("stat.uni", query))

    def _issue(self, messages: Sequence[Message]) -> dict[str, Any]:
        first = messages[0]
        issue: dict[str, Any] = {"sendwhen": "now", "letter": self._letter(first)}
        if self._config.test_to:
            return issue | {"sendwhen": "test", "mca": list(self._config.test_to)}
        if len(messages) > 1:
            lines = ["member.email", *(message.to for message in messages)]
            return issue | {"group": "masssending", "users.list": "\n".join(lines)}
        issue |= {"group": "personal", "email": first.to}
        if name := _plain(one_line(first.to_name)):
            issue["to.name"] = name
        return issue

    def _letter(self, message: Message) -> dict[str, Any]:
        body = {"text": _plain(message.text)}
        if message.html:
            body["html"] = _plain_html(message.html)
        letter: dict[str, Any] = {
            "subject": _plain(one_line(message.subject)),
            "from.email": self._config.sender.address,
            "message": body,
        }
        if self._config.sender.name:
            letter["from.name"] = _plain(self._config.sender.name)
        if reply_to := self._config.reply_to:
            letter["reply.email"] = reply_to.address
            if reply_to.name:
                letter["reply.name"] = _plain(reply_to.name)
        return letter


def _content(message: Message) -> tuple[str, str, str]:
    return one_line(message.subject), message.text, message.html


def _may_be_mass(message: Message) -> bool:
    """An express issue is a campaign of theirs: moderated, and only to whom their base allows it."""
    return message.category is Category.MARKETING and not any(char in message.to for char in ';,"')


def _plain(text: str) -> str:
    """Their template language would carry out what stands between these signs, whoever wrote it.

    How a literal one is written is not documented; the word joiner between them is not seen.
    """
    return text.replace("[%", "[\u2060%")


def _plain_html(html: str) -> str:
    """Read as the same signs by whatever shows the letter."""
    return html.replace("[%", "[&#37;")


def _of_nobody(outcome: Refused) -> Refused:
    """Of a call with many: the address that is meant is not named, so none is given up."""
    if outcome.scope is not Scope.RECIPIENT:
        return outcome
    return Refused(outcome.scope, outcome.code, outcome.reason, suppress=False)


_ANY_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


def _of_sender(answers: str, address: str, senders: Any) -> Check:
    """The shape of an entry is not documented: the address is looked for in whatever they list."""
    known = _ANY_ADDRESS.findall(str(senders).casefold())
    if address.casefold() in known:
        return Check(True, f"{answers}, {address} is among its senders")
    if known:
        return Check(
            False, f"{answers}, but {address} is not among its senders: add and confirm it"
        )
    return Check(True, f"{answers}; whether {address} is confirmed it does not tell")
