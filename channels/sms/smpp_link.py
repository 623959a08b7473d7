"""The way to one SMSC: at most one session, bound when it is needed and again after it ended."""

import asyncio
import random
import ssl
from asyncio import StreamReader, StreamWriter
from datetime import timedelta

from channels.base import Refused, Retry, Scope
from channels.guard import PublicOnly
from channels.sms import smpp_pdu, smpp_status
from channels.sms.smpp_config import SmppConfig
from channels.sms.smpp_pdu import RESPONSE, Command
from channels.sms.smpp_session import Deliver, Lost, Pace, Session
from channels.sms.smpp_status import OK

_CONNECT_TIMEOUT = timedelta(seconds=5)

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=1)
# A session that lasted so long was a good one, and its end no reason to be careful.
_LASTED = timedelta(minutes=1)


class Link:
    """`bind`: one of the three bind commands. `guard`: looks at every address before it is connected to."""

    def __init__(
        self,
        config: SmppConfig,
        bind: Command,
        deliver: Deliver,
        guard: PublicOnly | None = None,
    ) -> None:
        self._guard = guard
        self._config = config
        self._bind = bind
        self._deliver = deliver
        self._tls = None
        if config.security == "tls":
            self._tls = ssl.create_default_context(cafile=config.ca_file)
        self._attempt: asyncio.Task[Session | Retry | Refused] | None = None
        self._closed = False

    async def session(self) -> Session | Retry | Refused:
        """One that is bound, else what came of the attempt; all who ask meanwhile share it."""
        if self._closed:
            return Retry("closed")
        if session := self._current:
            return session
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._open())
        attempt = self._attempt
        # Whoever waits may be cancelled; the others still want the session.
        await asyncio.wait([attempt])
        return Retry("closed") if attempt.cancelled() else attempt.result()

    async def keep(self) -> None:
        """Keeps a session bound, with growing pauses between attempts, until cancelled."""
        clock, pause = asyncio.get_running_loop().time, _FIRST_PAUSE
        while True:
            began = clock()
            session = await self.session()
            if isinstance(session, Session):
                await session.ended.wait()
            if clock() - began > _LASTED.total_seconds():
                pause = _FIRST_PAUSE
            # What was cut off together must not come back together.
            await asyncio.sleep(pause.total_seconds() * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def close(self) -> None:
        self._closed = True
        if session := self._current:
            await session.close()
        elif self._attempt:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])

    @property
    def _current(self) -> Session | None:
        """The session that there is, if it is of use."""
        attempt = self._attempt
        if attempt is None or not attempt.done() or attempt.cancelled() or attempt.exception():
            return None
        found = attempt.result()
        return found if isinstance(found, Session) and not found.ended.is_set() else None

    async def _open(self) -> Session | Retry | Refused:
        connected = await self._connect()
        if not isinstance(connected, tuple):
            return connected
        config = self._config
        session = Session(
            connected, Pace(config.timeout, config.enquire_link, config.window), self._deliver
        )
        try:
            refusal = await self._sign_in(session)
        except BaseException:
            await session.abort()
            raise
        if refusal:
            await session.abort()
            return refusal
        return session

    async def _connect(self) -> tuple[StreamReader, StreamWriter] | Retry | Refused:
        host, port = self._config.server
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT.total_seconds()):
                if self._guard is None:
                    return await asyncio.open_connection(host, port, ssl=self._tls)
                opened = await self._guard.connected(host, port)
                name = host if self._tls else None
                return await asyncio.open_connection(
                    sock=opened, ssl=self._tls, server_hostname=name
                )
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is not trusted: {error.verify_message}"
            return Refused(Scope.ACCOUNT, "certificate", reason)
        except ssl.SSLError:
            return Retry("tls-failed")
        except OSError:
            return Retry("no-connection")

    async def _sign_in(self, session: Session) -> Retry | Refused | None:
        config = self._config
        body = smpp_pdu.bind(config.login, config.password.get_secret_value(), config.system_type)
        try:
            answer = await session.request(self._bind, body)
        except Lost as lost:
            # Nothing but the bind has left.
            return Retry(f"bind-{lost.reason}")
        if answer.command == self._bind | RESPONSE and answer.status == OK:
            return None
        return smpp_status.of_bind(answer.status, config.codes)
