"""What the hub and every provider's adapter agree on: a message, its outcome, a receipt."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, ConfigDict, HttpUrl, TypeAdapter


class Channel(StrEnum):
    EMAIL = "email"
    TELEGRAM = "telegram"
    VK = "vk"
    MAX = "max"
    SMS = "sms"
    PUSH = "push"
    VIBER = "viber"
    WHATSAPP = "whatsapp"


class Category(StrEnum):
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Button:
    """Pressed in the messenger: either `data` comes back to the bot, or `url` is opened."""

    text: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """What is the same in all letters of a template: text, and where a number stands, the field of that number.

    Letters that share it share the very object, so it is compared by that.
    """

    text: tuple[str | int, ...]
    html: tuple[str | int, ...]


# Some thousands of these are made a second. A frozen one takes three times as long to make; nobody changes one.
@dataclass(slots=True, unsafe_hash=True)
class Merged:
    """A letter's text and HTML, taken apart. `fields`, by their numbers: formatted, and escaped where they are HTML."""

    skeleton: Skeleton
    fields: tuple[str, ...]
    filling: Any = field(default=None, compare=False, repr=False)
    """What the adapter has made of it, so that it does so once."""

    def put_together(self) -> tuple[str, str]:
        """Text and HTML."""
        return self._filled(self.skeleton.text), self._filled(self.skeleton.html)

    def _filled(self, pieces: tuple[str | int, ...]) -> str:
        fields = self.fields
        return "".join([piece if isinstance(piece, str) else fields[piece] for piece in pieces])


@dataclass(slots=True, unsafe_hash=True)
class Message:
    """One rendered message to one address.

    `key` is the delivery's id: the same at every repeat, so providers that de-duplicate do it by this.
    `batch_key` names the batch in which the delivery was first handed to the provider and stays the
    same at every repeat; where one provider call carries many messages under one duplicate guard
    (VK's `random_id`), the guard is made of it.
    `to` is in the channel's normal form: e-mail, E.164 with the plus sign, Telegram chat id, VK peer
    id, MAX user id (a group's chat id is negative), FCM token, or a Web Push subscription as JSON text.
    `html` is a whole letter for e-mail and the messenger's own subset of HTML for Telegram and MAX; `text` is
    always there.

    For providers that fill in templates of their own (WhatsApp's; `values` is empty elsewhere): `template` is the
    name of the hub's (empty: inline content), `locale` the language it was rendered in, `values` what it was rendered
    with (`order`, `contact`, `shop` …). `session_open`: the person wrote to this channel within the last 24 hours, so
    that services with such a window take free text.

    `doubtful`: an earlier call of this account with it got no clear answer. Where a provider refuses equal texts
    without saying whose the first one was, it was this.

    `merged`: the same text and HTML for providers that fill in the fields of many letters at once; None where a letter
    is nobody else's. To adapters that are `Merging` such a letter may come with neither text nor HTML: see `whole`.
    """

    key: str
    to: str
    text: str
    subject: str = ""
    html: str = ""
    category: Category = Category.TRANSACTIONAL
    batch_key: str = ""
    to_name: str = ""
    unsubscribe_url: str = ""
    expires_at: datetime | None = None
    collapse_key: str = ""
    buttons: tuple[tuple[Button, ...], ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    locale: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    session_open: bool = False
    doubtful: bool = False
    merged: Merged | None = None

    @property
    def taken_apart(self) -> bool:
        """It has its text and HTML as `merged` only."""
        return self.merged is not None and not self.text and not self.html

    def whole(self) -> "Message":
        """The same with text and HTML."""
        if self.merged is None or not self.taken_apart:
            return self
        text, html = self.merged.put_together()
        return replace(self, text=text, html=html)


class Scope(StrEnum):
    RECIPIENT = "recipient"
    """This address cannot be written to: suppress it."""
    MESSAGE = "message"
    """This content can never go to anybody: tell its author."""
    ACCOUNT = "account"
    """Credentials, balance, sender, rights: pause the account and take the next one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. `provider_id` is what its receipts will name."""

    provider_id: str = ""
    cost: Decimal | None = None
    """In the account's currency; None where the provider does not say."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is what the provider asked for; the hub waits that long or longer.

    `maybe_sent`: the request left and no clear answer came, so a repeat may be a double.
    `throttled`: the provider is well and asks for patience; this does not count as a failure of it.
    `alone`: the patience is about this message; the account's others go on meanwhile.
    `perhaps_alone`: it does not say whether of this call or of the account. It is taken for the call's, until another
    receiver's hears the same at once.
    """

    reason: str
    after: timedelta = timedelta(0)
    maybe_sent: bool = False
    throttled: bool = False
    alone: bool = False
    perhaps_alone: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never, as it is. `suppress=False` with scope RECIPIENT: not this message to this address, but the
    address itself stays good (full mailbox, a limit of the day)."""

    scope: Scope
    code: str
    reason: str
    suppress: bool = True


@dataclass(frozen=True, slots=True)
class Moved:
    """The address has a new value (a Telegram group became a supergroup): store it, send again."""

    to: str


Outcome = Accepted | Retry | Refused | Moved


class ReceiptStatus(StrEnum):
    SENT = "sent"
    """On its way; nothing new."""
    DELIVERED = "delivered"
    READ = "read"
    CLICKED = "clicked"
    FAILED = "failed"
    """Did not arrive; the address stays good."""
    BOUNCED = "bounced"
    """Did not arrive and never will: suppress the address."""
    COMPLAINED = "complained"
    """Reported as spam: suppress the address."""
    UNSUBSCRIBED = "unsubscribed"
    """Left at the provider: no more marketing on this channel."""
    LOST = "lost"
    """The provider lost it and asks for a new call."""
    DEFERRED = "deferred"
    """Still trying; nothing new."""


# Not frozen for the same reason as `Merged`.
@dataclass(slots=True, unsafe_hash=True)
class Receipt:
    """What a provider says later of one message, found by `key` where it echoes ours, else by `provider_id`.

    `address`, in the channel's normal form, where the provider speaks of an address and of no message of ours
    (somebody left its list, its own stop list grew): then only BOUNCED, COMPLAINED and UNSUBSCRIBED mean anything.
    """

    status: ReceiptStatus
    provider_id: str = ""
    key: str = ""
    code: str = ""
    text: str = ""
    at: datetime | None = None
    cost: Decimal | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a person wrote to the account: an answer by SMS, a message in WhatsApp.

    `address` is the sender's, in the channel's normal form; `id` the provider's own, the same when it tells
    the same again, empty where it has none.
    """

    address: str
    text: str
    id: str = ""
    at: datetime | None = None


class Tells(StrEnum):
    """The furthest a provider can ever report."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults from the provider's documentation; an account's settings may name others.

    `per_second`: provider calls a second over all processes, None where none is published.
    `per_recipient`: the least pause between two messages to one address.
    `concurrency`: calls under way at once from one process.
    """

    per_second: float | None = None
    per_recipient: timedelta = timedelta(0)
    concurrency: int = 20


@dataclass(frozen=True, slots=True)
class Check:
    """What `vestnik check` prints of one account: `text` says who answered or what was wrong."""

    ok: bool
    text: str


def _base_url(value: str) -> str:
    """A base URL as every adapter uses it: checked, without the final slash."""
    url = TypeAdapter(HttpUrl).validate_python(value)
    if url.query or url.fragment:
        raise ValueError("must have no query and no fragment")
    return value.strip().rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class AccountConfig(BaseModel):
    """The keys of one account beside `name`, `channel` and `provider`; each provider has its own subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Unavailable(Exception):
    """The provider did not tell what it was asked; the text says why, for people and without secrets."""


class Adapter(Protocol):
    """One account at one provider.

    Built as `Adapter(config, http)` inside a running loop; `close` when done with. `send` never raises
    for what a provider or the network does: those are outcomes. What does raise is a bug.
    """

    Config: ClassVar[type[AccountConfig]]
    channel: ClassVar[Channel]
    provider: ClassVar[str]
    tells: ClassVar[Tells]
    limits: ClassVar[Limits]
    deduplicates: ClassVar[timedelta]
    """How long the provider recognises a repeat of the same `key` or `batch_key`; zero: never. See `WholeCalls`."""

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """The messages as provider calls: each inner list becomes exactly one `send`."""
        ...

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """One provider call with one of the lists of `split`; an outcome for each, in order."""
        ...

    async def check(self) -> Check:
        """Asks the provider, sending nothing, whether the credentials hold."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class WholeCalls(Protocol):
    """Adapters whose `deduplicates` holds for a repeat of the whole call only: the same messages, none more and none
    less. Any other repeat is a double, and the hub treats it as one."""

    whole_calls: ClassVar[Literal[True]]


@runtime_checkable
class Merging(Protocol):
    """Adapters that take letters apart from their text and HTML (`Message.merged`): most of theirs go out so, and
    putting each together would cost more than all the rest of sending it."""

    merges: ClassVar[Literal[True]]


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a provider sent to `/hooks/{account_token}`; `headers` have lower-case names. `url` is the address that
    it was told to call, which some sign, too."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class HookReply:
    """What the provider wants to hear so that it does not send the same again."""

    body: str = ""
    status: int = 200
    content_type: str = "text/plain"


class BadHook(ValueError):
    """Not from the provider, or not readable. `forged`: the proof did not match (401), else 400."""

    def __init__(self, reason: str, *, forged: bool = False) -> None:
        super().__init__(reason)
        self.forged = forged


@dataclass(frozen=True, slots=True)
class Told:
    """What one call of a provider, or one answer to our asking, says. `reply` is for calls only.

    `left_out`: how many events of the call have no form that can be read. They are passed over, because a provider
    that is refused tells the whole call again, and at last gives up all of it.
    """

    receipts: Sequence[Receipt] = ()
    heard: Sequence[Heard] = ()
    reply: HookReply = HookReply()
    left_out: int = 0


@runtime_checkable
class ReadsHooks(Protocol):
    """Adapters whose provider calls back. Nothing is written here: the hub stores, then replies."""

    def read_hook(self, request: HookRequest) -> Told:
        """Checks the signature in constant time, then reads. Raises `BadHook`."""
        ...


@runtime_checkable
class ChoosesHooks(Protocol):
    """Adapters whose provider calls only certain addresses."""

    def hook_problem(self, url: str) -> str:
        """Why it would not call this one, in words; empty: it would."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was `Accepted` and of which the provider has not told the end yet."""

    key: str
    provider_id: str
    to: str
    sent_at: datetime


@runtime_checkable
class Asks(Protocol):
    """Adapters whose provider tells what became of a message only when it is asked.

    The hub asks of each message after the first pause of `asks_after`, then after the next one, until a receipt
    is final (delivered, where that is the furthest that the provider tells; failed; bounced) or the pauses are over.
    """

    asks_after: ClassVar[Sequence[timedelta]]
    asks_at_once: ClassVar[int]
    """Of how many messages one `ask` may be."""

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        """Receipts of those of which there is news, one provider call where it takes many.

        Raises `Unavailable`: nothing was learned, ask again later.
        """
        ...


Take = Callable[[Told], Awaitable[None]]
"""Stores what was told, for good. What it raises means "not stored": the provider must not hear that all is well."""


@runtime_checkable
class Listens(Protocol):
    """Adapters that hear of receipts and answers over a connection of their own, which they keep open."""

    async def listen(self, take: Take) -> None:
        """Until cancelled. A connection that breaks is made anew, with growing pauses; what does raise is a bug."""
        ...


GONE = "gone"
"""The code of the `Refused` that `edit` gives where there is nothing to edit any more: deleted, or too old."""


@runtime_checkable
class Edits(Protocol):
    """Adapters whose messages can be changed after they were sent."""

    async def edit(self, provider_id: str, message: Message) -> Outcome:
        """Puts `message` in the place of the one that was `Accepted` as `provider_id`, buttons and all.

        Safe to repeat: a message that already looks so is `Accepted`. One that cannot be changed any more is
        `Refused` with the code `GONE`.
        """
        ...


def one_each(messages: Sequence[Message]) -> list[list[Message]]:
    """`split` of a provider that takes one message a call."""
    return [[message] for message in messages]


def chunks(messages: Sequence[Message], size: int) -> list[list[Message]]:
    """`split` of a provider that takes up to `size` messages a call."""
    return [list(messages[i : i + size]) for i in range(0, len(messages), size)]


JsonObject = Mapping[str, Any]
