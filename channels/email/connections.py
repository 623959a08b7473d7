"""Open connections to one mail server, kept for the next letter: a TLS handshake and a login cost more than it."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiosmtplib
from pydantic import SecretStr

from channels.base import Refused, Scope
from channels.guard import PublicOnly

# Servers hang up on the idle after a minute or more, and on the talkative after a hundred letters or so.
_IDLE = timedelta(seconds=30)
_LETTERS = 100
_GOODBYE = timedelta(seconds=1)


class Unfit(Exception):
    """The server answers, but not as the account or this letter needs it."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(slots=True)
class _Open:
    client: aiosmtplib.SMTP
    letters: int = 0
    rested_at: float = field(default_factory=time.monotonic)

    @property
    def worn(self) -> bool:
        idle = time.monotonic() - self.rested_at
        return self.letters >= _LETTERS or idle > _IDLE.total_seconds()


class Connections:
    """At most `size` at once; whoever comes then waits. `guard`: looks at every address before it is connected to."""

    def __init__(
        self,
        server: tuple[str, int],
        *,
        security: str,
        login: tuple[str, SecretStr],
        ca_file: Path | None,
        size: int,
        guard: PublicOnly | None = None,
    ) -> None:
        self._guard = guard
        self._server = server
        self._security = security
        self._login = login
        self._tls = None if security == "none" else ssl.create_default_context(cafile=ca_file)
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Open] = []
        self._closed = False

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator["Slot"]:
        """Leave to use one connection; kept afterwards only if the user says that it is `reusable`."""
        async with self._free:
            slot = Slot(self)
            try:
                yield slot
            finally:
                if slot.opened:
                    self._put_back(slot.opened, reusable=slot.reusable)

    async def probe(self) -> None:
        """Connects, signs in and hangs up. Raises as `take`."""
        opened = _Open(await self._open())
        await _hang_up(opened)

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_hang_up(opened) for opened in idle))

    async def take(self) -> _Open:
        """An open connection in its first state. Raises `aiosmtplib.SMTPException`, `OSError` or `Unfit`."""
        while self._idle:
            opened = self._idle.pop()
            if opened.worn:
                await _hang_up(opened)
                continue
            try:
                # Also finds out whether the server is still there while nothing is at stake.
                await opened.client.rset()
            except (aiosmtplib.SMTPException, OSError):
                opened.client.close()
                continue
            except BaseException:
                opened.client.close()
                raise
            return opened
        return _Open(await self._open())

    def _put_back(self, opened: _Open, *, reusable: bool) -> None:
        if not reusable or self._closed or not opened.client.is_connected:
            opened.client.close()
            return
        opened.letters += 1
        opened.rested_at = time.monotonic()
        self._idle.append(opened)

    async def _open(self) -> aiosmtplib.SMTP:
        host, port = self._server
        opened = await self._guard.connected(host, port) if self._guard else None
        client = aiosmtplib.SMTP(
            # Its certificate is asked for by name in any case.
            hostname=host,
            port=None if opened else port,
            sock=opened,
            use_tls=self._security == "tls",
            start_tls=False,
            tls_context=self._tls,
            # Whoever calls sets the time for the whole exchange.
            timeout=None,
        )
        await client.connect()
        try:
            await client.ehlo()
            if self._security == "starttls":
                await self._encrypt(client)
            if self._login[0]:
                await self._sign_in(client)
        except BaseException:
            client.close()
            raise
        return client

    async def _encrypt(self, client: aiosmtplib.SMTP) -> None:
        if not client.supports_extension("starttls"):
            raise _refusal(
                "no-starttls", "the server offers no STARTTLS; nothing is sent unencrypted"
            )
        await client.starttls()
        await client.ehlo()

    async def _sign_in(self, client: aiosmtplib.SMTP) -> None:
        if not client.supported_auth_methods:
            raise _refusal("no-login", "the server offers no way to sign in that is known here")
        username, password = self._login
        await client.login(username, password.get_secret_value())


class Slot:
    """One connection for one letter; `reusable` unless something was left unanswered on it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.opened: _Open | None = None
        self.reusable = False

    async def ready(self) -> aiosmtplib.SMTP:
        self.opened = await self._connections.take()
        return self.opened.client


def _refusal(code: str, reason: str) -> Unfit:
    return Unfit(Refused(Scope.ACCOUNT, code, reason))


async def _hang_up(opened: _Open) -> None:
    """Politely where the server plays along; it is closed in any case."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_GOODBYE.total_seconds()):
            await opened.client.quit()
    opened.client.close()
