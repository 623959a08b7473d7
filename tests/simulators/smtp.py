"""A mail server on loopback that says what a test wants it to say (aiosmtpd)."""

import asyncio
import email
import email.policy
import ssl
from dataclasses import dataclass
from email.message import MIMEPart
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.simulators.base import Sent


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens instead of an answer at `CONNECT`, `MAIL`, `RCPT`, `DATA` or `RSET`: silence, or the end.

    `after_taking`: the letter is taken first, so a repeat would be a double.
    """

    at: str
    hang: bool = False
    after_taking: bool = False


class SmtpSimulator:
    """`async with SmtpSimulator() as server:`; `answers` per command and `refused` per address are said as they are.

    `starttls` offers STARTTLS with that context, `tls` speaks TLS from the first byte. Signing in is asked for
    when `username` is set.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        username: str = "",
        password: str = "",
        size: int = 1024 * 1024,
        smtputf8: bool = False,
    ) -> None:
        self.sent: list[Sent] = []
        self.answers: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.accident: Accident | None = None
        self.happened = asyncio.Event()
        self.connections = 0
        self.commands: list[str] = []
        self.username = username
        self.password = password
        self.port = 0
        self._starttls = starttls
        self._tls = tls
        self._options = {"data_size_limit": size, "enable_SMTPUTF8": smtputf8}
        self._server: asyncio.Server | None = None
        self._open: set[SMTP] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        self._server = None

    def hang_up(self) -> None:
        """Cuts every open connection, as a server that restarts."""
        for protocol in self._open:
            _cut(protocol)
        self._open.clear()

    def _protocol(self) -> SMTP:
        self.connections += 1
        protocol = _Protocol(
            _Handler(self),
            simulator=self,
            loop=asyncio.get_running_loop(),
            hostname="mail.example.com",
            tls_context=self._starttls,
            authenticator=self._sign_in if self.username else None,
            # Without anybody to sign in AUTH is not offered at all.
            auth_require_tls=bool(self._starttls) or not self.username,
            **self._options,
        )
        self._open.add(protocol)
        return protocol

    def _sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        known = LoginPassword(self.username.encode(), self.password.encode())
        return AuthResult(success=data == known, handled=False)

    async def answer(self, command: str, server: SMTP) -> str | None:
        """What to say instead of the usual; None for the usual."""
        self.commands.append(command)
        accident = self.accident
        if accident and accident.at == command and not accident.after_taking:
            await self.happen(accident, server)
        return self.answers.get(command)

    async def happen(self, accident: Accident, server: SMTP) -> None:
        self.happened.set()
        if accident.hang:
            await asyncio.Event().wait()
        _cut(server)
        # The rest of the dialogue has nobody to talk to.
        raise asyncio.CancelledError

    def take(self, envelope: Envelope) -> None:
        content = cast("bytes", envelope.content)
        letter = email.message_from_bytes(content, policy=email.policy.default)
        text, html = letter.get_body(("plain",)), letter.get_body(("html",))
        for to in envelope.rcpt_tos:
            self.sent.append(
                Sent(
                    to=to,
                    text=_content(text),
                    html=_content(html),
                    subject=str(letter["Subject"]),
                    provider_id=str(letter["Message-ID"]),
                    extra={"letter": letter, "from": envelope.mail_from, "raw": content},
                )
            )


def _content(part: MIMEPart | None) -> str:
    """As its author wrote it: line ends of the wire undone."""
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n") if part else ""


def _cut(server: SMTP, *, politely: bool = False) -> None:
    transport = cast("asyncio.Transport | None", server.transport)
    # An encrypted one that is closed already cannot be broken off before Python 3.11.4.
    if transport is not None and not transport.is_closing():
        transport.close() if politely else transport.abort()


class _Protocol(SMTP):
    """Greets, or not, as the simulator says."""

    def __init__(self, handler: "_Handler", *, simulator: SmtpSimulator, **options: Any) -> None:
        super().__init__(handler, **options)
        self._simulator = simulator

    async def _handle_client(self) -> None:
        said = await self._simulator.answer("CONNECT", self)
        if said:
            await self.push(said)
            _cut(self, politely=True)
            return
        await super()._handle_client()


class _Handler:
    def __init__(self, simulator: SmtpSimulator) -> None:
        self._simulator = simulator

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self._simulator.answer("MAIL", server):
            return said
        if self._simulator.username and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self._simulator.answer("RCPT", server)
        if said := said or self._simulator.refused.get(address):
            return said
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if said := await self._simulator.answer("DATA", server):
            return said
        self._simulator.take(envelope)
        accident = self._simulator.accident
        if accident and accident.at == "DATA":
            await self._simulator.happen(accident, server)
        return "250 2.0.0 Ok: queued"

    async def handle_RSET(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        return await self._simulator.answer("RSET", server) or "250 2.0.0 Ok"
