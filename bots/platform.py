"""What every messenger's adapter does, and how it says that it could not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from bots.conversation.said import Reply, Said
from channels.updates import Incoming


class Trouble(Exception):
    """Not now; again after `after` at the earliest. The reason is for the log: no secret, no address.

    `for_all`: whoever is written to, it would be the same. `unclear`: perhaps so; the call did not come to an
    answer, or to one that says nothing (no connection, 5xx)."""

    def __init__(
        self,
        reason: str,
        after: timedelta = timedelta(0),
        *,
        for_all: bool = False,
        unclear: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.for_all = for_all
        self.unclear = unclear


class CannotWrite(Exception):
    """This person cannot be answered, now or later. The reason is for the log."""


@dataclass(frozen=True, slots=True)
class Received:
    """`cursor` counts once the updates are stored."""

    updates: Sequence[Incoming]
    cursor: str


class Platform(Protocol):
    """One account. Every call may raise `Trouble`; a long wait inside one may be cancelled."""

    polls: bool
    """False: the messenger calls the hub, which stores; here it is only handled."""

    prepared_for: timedelta | None
    """After so long `prepare` is called again; None: what it has set stays."""

    async def prepare(self) -> None:
        """Sets at the messenger what receiving needs. Safe to repeat."""
        ...

    async def receive(self, cursor: str | None) -> Received:
        """Waits for updates for half a minute at most. `cursor`: where the last stored ones ended."""
        ...

    def read(self, raw: dict[str, Any]) -> Said | None:
        """What a stored update means; None: nothing to us. Raises `ValueError` for what cannot be read."""
        ...

    async def reply(self, chat: str, reply: Reply, key: int) -> None:
        """`key`: the same when the same reply is sent again. Raises `CannotWrite`."""
        ...

    async def close(self) -> None: ...
