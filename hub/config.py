"""What can be set, with what is there where nothing is set; read by `hub.settings_file`."""

import json
import re
from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from channels.base import AccountConfig, Category, Channel
from channels.duration import Duration, between

LOCALES = ("ru", "en")


class SettingsError(Exception):
    """One line for a person: which key, which value, what is allowed."""


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError('must be a time zone of the IANA list, like "Europe/Moscow"')
    return value


_CENTURY = timedelta(days=36_500)

_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _clock(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(_CLOCK, value, re.ASCII):
        return time.fromisoformat(value)
    if isinstance(value, time):
        return value
    raise ValueError('must be a time of day like "22:00"')


def _network(value: Any) -> Any:
    try:
        return ip_network(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f'must be a network like "10.0.0.0/8" ({error})') from None


def host_and_port(value: str) -> tuple[str, int]:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError('must be HOST:PORT, like "127.0.0.1:8080" (port 0: a free one)')
    return host.strip("[]"), int(port)


AUTOMATIC = -1
"""Of a size: by what is there."""

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def _size(value: Any) -> Any:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,12}) ?([KMGT]iB|)", value)):
        return int(found[1]) * _UNITS[found[2]]
    if isinstance(value, int) and value >= 0:
        return value
    raise ValueError('must be a size like "512MiB" or "20GiB" (0: none)')


def _size_or_auto(value: Any) -> Any:
    if value == "auto":
        return AUTOMATIC
    try:
        return _size(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "auto"') from None


Size = Annotated[int, BeforeValidator(_size)]
"""Bytes."""
SizeOrAuto = Annotated[int, BeforeValidator(_size_or_auto)]
"""Bytes, or `AUTOMATIC`."""


def _listen(value: str) -> str:
    if value:
        host_and_port(value)
    return value


def _public_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("must be an http:// or https:// URL without a query")
    return value.rstrip("/")


def _database_url(value: SecretStr) -> SecretStr:
    return _with_scheme(value, ("postgresql", "postgres"))


def _redis_url(value: SecretStr) -> SecretStr:
    return _with_scheme(value, ("redis", "rediss", "unix"))


def _with_scheme(url: SecretStr, allowed: tuple[str, ...]) -> SecretStr:
    text = url.get_secret_value()
    if text and text.partition("://")[0] not in allowed:
        raise ValueError(f"must begin with {allowed[0]}:// (empty: an embedded server)")
    try:
        # Looking at the port reads it.
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError("is no URL: look at its port and its brackets") from None
    return url


def _secret(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < 16:
        raise ValueError("must have 16 characters or more (empty: one is made and kept)")
    return value


def _json_or_commas(value: Any) -> Any:
    """What the environment says for a list of secrets. One that has a comma in it can be given as JSON only."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('must be secrets separated by commas, or JSON: ["…"]') from None
    return [item.strip() for item in value.split(",") if item.strip()]


Secret = Annotated[SecretStr, AfterValidator(_secret)]
Network = Annotated[
    IPv4Network | IPv6Network, Field(union_mode="left_to_right"), BeforeValidator(_network)
]
Zone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[
    time,
    BeforeValidator(_clock),
    # JSON Schema's own format "time" has seconds and an offset.
    WithJsonSchema({"type": "string", "pattern": _CLOCK, "examples": ["22:00"]}),
]
Locale = Literal["ru", "en"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class QuietHours(Section):
    """From `start` to `end` in the person's own time; over midnight where `start` is the later one."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    categories: tuple[Category, ...] | None = None
    """None: every category but `security`, which nothing ever holds."""

    @model_validator(mode="after")
    def _some_time(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError('"from" and "to" must differ')
        return self


class OrderStatus(StrEnum):
    """Where an order stands, as shops say it; what may follow what is in `hub.orders.model`."""

    PLACED = "placed"
    AWAITING_STOCK = "awaiting_stock"
    CONFIRMED = "confirmed"
    PARTIALLY_CONFIRMED = "partially_confirmed"
    REJECTED = "rejected"
    PAID = "paid"
    ASSEMBLED = "assembled"
    SHIPPED = "shipped"
    IN_CITY = "in_city"
    AT_PICKUP_POINT = "at_pickup_point"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class OrderSettings(Section):
    stock_confirmation: bool = True
    remind_after: Duration = timedelta(minutes=10)
    answer_within: Duration = timedelta(minutes=30)
    escalate_to: Literal["seller", "admin"] = "seller"


class Notify(Section):
    """Who hears of which status of an order. Questions to the people at the shelf go out in any case."""

    buyer: tuple[OrderStatus, ...] = tuple(OrderStatus)
    seller: tuple[OrderStatus, ...] = (
        OrderStatus.PLACED,
        OrderStatus.PARTIALLY_CONFIRMED,
        OrderStatus.REJECTED,
        OrderStatus.RETURNED,
        OrderStatus.CANCELLED,
    )
    warehouse: tuple[OrderStatus, ...] = (OrderStatus.RETURNED, OrderStatus.CANCELLED)
    admin: tuple[OrderStatus, ...] = (OrderStatus.REJECTED,)


class ChannelOrder(Section):
    """Which channels a category may use, in this order where the contact names none."""

    transactional: tuple[Channel, ...] = (
        Channel.TELEGRAM,
        Channel.VK,
        Channel.PUSH,
        Channel.EMAIL,
        Channel.SMS,
    )
    marketing: tuple[Channel, ...] = (Channel.TELEGRAM, Channel.VK, Channel.EMAIL)
    security: tuple[Channel, ...] = (Channel.PUSH, Channel.SMS)

    def of(self, category: Category) -> tuple[Channel, ...]:
        found: tuple[Channel, ...] = getattr(self, category.value)
        return found


def _reply(value: Any) -> Any:
    texts = value.values() if isinstance(value, dict) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(_REPLY)
    if isinstance(value, dict) and not value.keys() <= set(LOCALES):
        raise ValueError(_REPLY)
    return value


_REPLY = 'must be a text, or one by language: { ru = "…", en = "…" }'


class AutoReply(Section):
    """What is answered to somebody who writes one of these words and nothing else."""

    words: tuple[Annotated[str, Field(min_length=1, max_length=50)], ...] = Field(min_length=1)
    text: Annotated[
        Annotated[str, Field(min_length=1, max_length=1000)] | Mapping[Locale, str],
        BeforeValidator(_reply),
    ]
    channels: tuple[Channel, ...] = ()
    """Empty: all on which people write without a bot."""

    def in_language(self, locale: Locale) -> str:
        if isinstance(self.text, str):
            return self.text
        return self.text.get(locale) or next(iter(self.text.values()))


class Patience(Section):
    """How long one channel is tried before the next one of the plan gets its turn."""

    transactional: Duration = timedelta(seconds=30)
    marketing: Duration = timedelta(hours=1)
    security: Duration = timedelta(seconds=20)

    def of(self, category: Category) -> timedelta:
        found: timedelta = getattr(self, category.value)
        return found


class Retention(Section):
    """How long what people's data stands in is kept at least. Where other shops keep theirs longer it goes to the
    day, else with its month.
    """

    notifications: Annotated[Duration, between(timedelta(days=7), _CENTURY)] = timedelta(days=180)
    attempts: Annotated[Duration, between(timedelta(days=7), _CENTURY)] = timedelta(days=90)
    """With the receipts: what providers said."""
    events: Annotated[Duration, between(timedelta(days=3), _CENTURY)] = timedelta(days=30)
    """What the backend was told; longer than it is tried."""
    heard: Annotated[Duration, between(timedelta(days=3), _CENTURY)] = timedelta(days=90)
    """Longer than the 24 hours in which an answer is free."""
    bot_updates: Annotated[Duration, between(timedelta(days=3), _CENTURY)] = timedelta(days=3)
    """Longer than any messenger tells the same again."""
    sandbox: Annotated[Duration, between(timedelta(days=1), _CENTURY)] = timedelta(days=30)
    orders: Annotated[Duration, between(timedelta(days=30), _CENTURY)] = timedelta(days=1095)
    """Since their last change; then they lose their person and stay."""
    consents: Annotated[Duration, between(timedelta(days=30), _CENTURY)] = timedelta(days=1095)
    """What proves the consents of somebody who was erased."""
    audit: Annotated[Duration, between(timedelta(days=30), _CENTURY)] = timedelta(days=365)

    @model_validator(mode="after")
    def _parts_go_before_the_whole(self) -> "Retention":
        for name in ("attempts", "sandbox"):
            if getattr(self, name) > self.notifications:
                raise ValueError(
                    f'"{name}" must not be longer than "notifications", of which they are part'
                )
        return self


SLOW_AFTER = timedelta(seconds=8)


def _account_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError(
            'must be 1 to 64 letters (a-z, A-Z), digits, ".", "_" and "-", the first a letter or digit'
        )
    return value


AccountName = Annotated[str, AfterValidator(_account_name)]


class AccountLimits(Section):
    """Instead of the provider's documented limits. Accounts that name the same `shared`, in whatever shop, are
    one customer of their provider: their calls are counted together."""

    per_second: float | None = Field(default=None, gt=0, le=100_000)
    per_recipient: Duration | None = None
    concurrency: int | None = Field(default=None, ge=1, le=1000)
    shared: AccountName | None = None


class Account(Section):
    """One account; `config` is the provider's own model, already checked.

    `weight`: its share of what the channel sends; without one it stands in for those that have one, in the
    order of the file. `slow_after`: an account whose calls take longer is left for one that answers sooner, if there
    is one. `not_set`: variables that it names and that are empty. With any of them it is not set up:
    nothing is sent by it, and its `config` was not looked at.
    """

    name: AccountName
    channel: Channel
    provider: str = Field(min_length=1, max_length=64)
    enabled: bool = True
    weight: int | None = Field(default=None, ge=1, le=1000)
    slow_after: Duration = Field(default=SLOW_AFTER, ge=timedelta(seconds=1))
    limits: AccountLimits = AccountLimits()
    config: AccountConfig = AccountConfig()
    not_set: tuple[str, ...] = ()


class Shop(Section):
    name: str = Field(default="", max_length=200)
    locale: Locale = "ru"
    timezone: Zone = "Europe/Moscow"
    order: OrderSettings = OrderSettings()
    notify: Notify = Notify()
    quiet_hours: QuietHours | None = None
    channels: ChannelOrder = ChannelOrder()
    fallback_after: Patience = Patience()
    replies: tuple[AutoReply, ...] = ()
    retention: Retention = Retention()
    accounts: tuple[Account, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @model_validator(mode="after")
    def _unique_names(self) -> "Shop":
        seen: set[str] = set()
        for account in self.accounts:
            if account.name in seen:
                raise ValueError(f"accounts: the name {account.name!r} is used twice")
            seen.add(account.name)
        return self


class HubSettings(Section):
    listen: Annotated[str, Field(min_length=1), AfterValidator(_listen)] = "127.0.0.1:8080"
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("")
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = SecretStr("")
    secret: Secret = SecretStr("")
    previous_secrets: Annotated[tuple[Secret, ...], BeforeValidator(_json_or_commas)] = ()
    """What these signed and sealed is still read; nothing new is signed by them."""
    outgoing_allow: tuple[Network, ...] = ()
    rate_limit: int = Field(default=1000, ge=0, le=1_000_000)
    wrong_keys: int = Field(default=30, ge=0, le=1_000_000)
    """From one address in a minute."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose `X-Forwarded-For` is believed."""
    max_connections: int = Field(default=1000, ge=10, le=60_000)
    """Of one API process at once."""
    disk_reserve: SizeOrAuto = AUTOMATIC
    """Of free disk where the database is: below that no new work is taken."""
    database_folder: str = ""
    """Where the database keeps its files, if that is this machine; `vestnik up` knows where its own are."""
    database_limit: Size = 0
    """Of the database, above which no new work is taken; 0: none."""
    backlog_limit: int = Field(default=0, ge=0)
    """Deliveries that wait to be sent, above which no new work is taken; 0: none."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_listen: Annotated[str, AfterValidator(_listen)] = ""
    """Where a worker serves its own `/metrics`, for a fleet; empty: nowhere."""


def _shop_slug(value: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9_-]{0,62}", value):
        raise ValueError(
            'must be 1 to 63 small letters (a-z), digits, "-" and "_", the first a letter or digit'
        )
    return value


class Settings(Section):
    """Everything that the command line, the file and the environment said."""

    hub: HubSettings = HubSettings()
    shops: Mapping[Annotated[str, AfterValidator(_shop_slug)], Shop] = Field(
        default_factory=lambda: {"main": Shop()}, min_length=1
    )
    data: Path = Path(".vestnik")

    @property
    def address(self) -> tuple[str, int]:
        return host_and_port(self.hub.listen)

    @cached_property
    def public_url(self) -> str:
        """Without the final slash; where none is set, the address that is listened on."""
        if self.hub.public_url:
            return self.hub.public_url
        host, port = self.address
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
