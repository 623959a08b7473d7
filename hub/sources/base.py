"""What every platform's module offers, and what it may be asked. No database, no hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from channels.base import Check, HookRequest, Limits
from hub.config import OrderStatus
from hub.sources.model import Decision, Facts, Heard, Incoming, Kind

if TYPE_CHECKING:
    from hub.sources.http import ShopHttp


class SourceConfig(BaseModel):
    """The keys of one source's `config`; each platform has its own subclass. Fields of type `SecretStr` are sealed
    when stored and never shown again."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Unreadable(ValueError):
    """What came is not what the platform sends; the text names the field, never its value."""


class Later(Exception):
    """Try again, not before `after`. `counts` false: it was not its turn yet, which is no try that came to nothing."""

    def __init__(
        self, reason: str, after: timedelta = timedelta(0), *, counts: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.counts = counts


class Trouble(Exception):
    """Credentials, rights, a tariff: the source is paused, and its admins are told once."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Impossible(Exception):
    """The platform refuses this write for good; the text is a word of ours."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the platform at one of its hook's topics. `request` has lower-case headers and the raw body."""

    topic: str
    request: HookRequest


class Purpose(StrEnum):
    CATCH_UP = "catch_up"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Ask:
    """One page. `position`: of the page before, None at the start. `open`: ids of orders that are not over, for
    platforms that cannot tell what changed."""

    kind: Kind
    since: datetime
    purpose: Purpose
    position: Mapping[str, Any] | None = None
    open: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`position` is JSON and is kept even when `more` is false: the next reading goes on from it. `total`: how many
    there are in all, where the platform says so."""

    items: Sequence[Incoming]
    position: Mapping[str, Any]
    more: bool
    total: int | None = None


class Platform(Protocol):
    """One source at one platform, built as `Class(config, http, secret=…)`.

    `topics`: a hook URL each, the last part of its path. `signed`: needs a secret that the hub makes (`whsec_…`) and
    shows once. `statuses`: the default map of the platform's words; None: known, says nothing. `writes_as`: the
    default map the other way; empty: it cannot be written to.
    """

    Config: ClassVar[type[SourceConfig]]
    platform: ClassVar[str]
    title: ClassVar[str]
    topics: ClassVar[Sequence[str]]
    signed: ClassVar[bool]
    statuses: ClassVar[Mapping[str, OrderStatus | None]]
    writes_as: ClassVar[Mapping[OrderStatus, str]]
    limits: ClassVar[Limits]

    def __init__(self, config: Any, http: "ShopHttp", *, secret: str = "") -> None: ...

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """Checks the proof over the raw bytes, reads, whitelists. Raises `channels.base.BadHook` and nothing else."""
        ...

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        """Pure. `payload` is what `hear`, `fetch` or `read` let through. Raises `Unreadable`."""
        ...

    async def check(self) -> Check:
        """Asks the platform, changing nothing, whether the credentials hold."""
        ...


@runtime_checkable
class Fetches(Protocol):
    """Platforms of which one object can be read by its id."""

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        """Whitelisted; None: there is none. Raises `Later`, `Trouble`, `Impossible`."""
        ...


@runtime_checkable
class Reads(Protocol):
    """Platforms that can be read back. `reads`: in the order of an import. `rereads_open`: what changed cannot be
    asked, so orders that are not over are read again one by one."""

    reads: ClassVar[Sequence[Kind]]
    rereads_open: ClassVar[bool]

    async def read(self, ask: Ask) -> Page:
        """Raises `Later`, `Trouble`, `Impossible`."""
        ...


@runtime_checkable
class Writes(Protocol):
    """Platforms that take our decisions."""

    async def write(self, decision: Decision) -> None:
        """Safe to repeat. Raises `Later`, `Trouble`, `Impossible`."""
        ...


@runtime_checkable
class Subscribes(Protocol):
    """Platforms whose hooks can be set up by a call."""

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        """Makes the platform call these (topic → URL), each once however often it is asked; which topics are there
        now. Raises `Later`, `Trouble`, `Impossible`."""
        ...
