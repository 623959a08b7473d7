"""What a caller may say of a notification; everything that can be seen from the request alone is checked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictStr,
    Tag,
    ValidationInfo,
    field_validator,
)

from channels.base import Category, Channel, Tells
from hub.config import Locale
from hub.contacts import addresses
from hub.contacts.instant import Instant
from hub.contacts.model import KnownContactIn
from hub.notifications.model import Ask, Strategy

_DEFAULT_UNTIL, _DEFAULT_WAIT = Tells.DELIVERED, timedelta(minutes=10)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


Key = Annotated[str, Field(min_length=1, max_length=255)]


class OneOffAddress(_In):
    channel: Channel
    value: Annotated[StrictStr, Field(min_length=1, max_length=4096)]

    @field_validator("value")
    @classmethod
    def _normal(cls, value: str, info: ValidationInfo) -> str:
        channel = info.data.get("channel")
        return addresses.normalise(channel, value) if channel else value


class OneOffIn(_In):
    """Somebody known by an address only."""

    address: OneOffAddress
    locale: Locale | None = None


def _kind(recipient: Any) -> str:
    return "one-off" if isinstance(recipient, dict) and "address" in recipient else "contact"


RecipientIn = Annotated[
    Annotated[OneOffIn, Tag("one-off")] | Annotated[KnownContactIn, Tag("contact")],
    Discriminator(_kind),
]


class ContentIn(_In):
    """Said as it is, instead of a template."""

    subject: Annotated[str, Field(max_length=998)] = ""
    text: Annotated[str, Field(max_length=100_000)] = ""
    html: Annotated[str, Field(max_length=500_000, validate_default=True)] = ""

    @field_validator("subject")
    @classmethod
    def _one_line(cls, subject: str) -> str:
        if "\n" in subject or "\r" in subject:
            raise ValueError("must be one line")
        return subject

    @field_validator("html")
    @classmethod
    def _something(cls, html: str, info: ValidationInfo) -> str:
        # A text with a fault of its own is told of that alone.
        empty = "text" in info.data and not info.data["text"].strip()
        if empty and not html.strip():
            raise ValueError("text or html is needed")
        return html


class CascadeIn(_In):
    until: Tells = _DEFAULT_UNTIL
    wait: int = Field(default=int(_DEFAULT_WAIT.total_seconds()), ge=1, le=7 * 86_400)
    """Seconds."""


class NotificationIn(_In):
    """One thing to tell one contact: by a template with its data, or by literal content."""

    template: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    content: ContentIn | None = Field(default=None, validate_default=True)
    recipient: RecipientIn
    data: dict[str, Any] = Field(default_factory=dict)
    category: Category | None = None
    strategy: Strategy = Strategy.FIRST
    cascade: CascadeIn | None = None
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] | None = None
    send_at: Instant | None = None
    expires_at: Instant | None = None
    ordering_key: Key | None = None
    collapse_key: Key | None = None
    meta: dict[str, Any] | None = None

    @field_validator("content")
    @classmethod
    def _one_of_them(cls, content: ContentIn | None, info: ValidationInfo) -> ContentIn | None:
        if "template" in info.data:
            if content is not None and info.data["template"] is not None:
                raise ValueError("either template or content, not both")
            if content is None and info.data["template"] is None:
                raise ValueError("template or content is needed")
        return content

    @field_validator("cascade")
    @classmethod
    def _only_in_a_cascade(
        cls, cascade: CascadeIn | None, info: ValidationInfo
    ) -> CascadeIn | None:
        if cascade is not None and info.data.get("strategy") is not Strategy.CASCADE:
            raise ValueError('only with "strategy": "cascade"')
        return cascade

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[Channel, ...] | None) -> tuple[Channel, ...] | None:
        if channels and len(set(channels)) < len(channels):
            raise ValueError("names a channel twice")
        return channels

    @field_validator("expires_at")
    @classmethod
    def _after_its_start(cls, expires_at: datetime | None, info: ValidationInfo) -> datetime | None:
        send_at = info.data.get("send_at")
        if expires_at and send_at and expires_at <= send_at:
            raise ValueError("must be after send_at")
        return expires_at

    @property
    def one_off(self) -> OneOffIn | None:
        """The recipient, where it is an address only."""
        # pydantic's `isinstance` takes as long as the rest of a loop.
        return self.recipient if type(self.recipient) is OneOffIn else None

    def ask(self, category: Category) -> Ask:
        """`category`: the request's own, else the template's."""
        until, wait = _DEFAULT_UNTIL, _DEFAULT_WAIT
        if self.cascade:
            until, wait = self.cascade.until, timedelta(seconds=self.cascade.wait)
        return Ask(category, self.strategy, self._channels, until, wait, self.send_at)

    @property
    def _channels(self) -> tuple[Channel, ...] | None:
        """A one-off goes by the channel that its address names, though a phone would serve three."""
        one_off = self.one_off
        if one_off is None:
            return self.channels
        own = one_off.address.channel
        return (own,) if self.channels is None or own in self.channels else ()

    @property
    def literal(self) -> Mapping[str, str] | None:
        said = self.content
        return {"subject": said.subject, "text": said.text, "html": said.html} if said else None
