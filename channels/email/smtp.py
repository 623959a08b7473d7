"""Letters through any mail server (RFC 5321, submission by RFC 6409)."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import Field, SecretStr, field_validator, model_validator

from channels.base import (
    Accepted,
    AccountConfig,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    one_each,
)
from channels.ca_file import CaFile
from channels.duration import DurationOrSeconds, between
from channels.email import mime, replies
from channels.email.connections import Connections, Unfit
from channels.email.replies import Stage
from channels.email.sender import MailboxField, ascii_address
from channels.http import ProviderHttp
from channels.server_url import server_url

# What cannot break out of the angle brackets of a command; whether it exists the server knows.
_ONE_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f]+@[^\s<>@\x00-\x1f\x7f]+")
_CHECK_TIMEOUT = timedelta(seconds=15)


class SmtpConfig(AccountConfig):
    """`base_url` is for whoever sets every account by URL: `smtp://host:port` in place of `host` and `port`.

    `security = "none"` sends the password in the clear: for a server on the same machine only.
    `ca_file`: PEM certificates to trust instead of the system's. `timeout`: for one letter, connecting
    included. `connections`: open at once from one process.
    """

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: MailboxField = Field(alias="from")
    reply_to: MailboxField | None = None
    timeout: Annotated[
        DurationOrSeconds, between(timedelta(milliseconds=100), timedelta(minutes=5))
    ] = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=100)] = 4
    ca_file: CaFile | None = None
    base_url: str = ""

    @field_validator("base_url")
    @classmethod
    def _smtp_url(cls, value: str) -> str:
        return server_url(value, "smtp")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.server[0]:
            raise ValueError("host is missing")
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password come together or not at all")
        return self

    @property
    def server(self) -> tuple[str, int]:
        url = urlsplit(self.base_url)
        return url.hostname or self.host, url.port or self.port


@dataclass(frozen=True, slots=True)
class _Letter:
    to: str
    raw: bytes


class Smtp:
    """No receipts: a server tells while it is spoken to, or by a letter to the sender."""

    Config: ClassVar[type[AccountConfig]] = SmtpConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "smtp"
    tells: ClassVar[Tells] = Tells.SENT
    limits: ClassVar[Limits] = Limits(concurrency=4)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: SmtpConfig, http: ProviderHttp) -> None:
        self._config = config
        self._connections = Connections(
            config.server,
            security=config.security,
            login=(config.username, config.password),
            ca_file=config.ca_file,
            size=config.connections,
            guard=http.guard,
        )

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        host, port = self._config.server
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT.total_seconds()):
                await self._connections.probe()
        except (aiosmtplib.SMTPException, Unfit, OSError) as error:
            match _failure(error, Stage.LOGIN):
                case Refused(_, code, reason):
                    return Check(False, f"{host}:{port} refuses: {code} {reason}")
                case Retry(reason):
                    return Check(False, f"{host}:{port} cannot be used now: {reason}")
        who = self._config.username or "nobody in particular"
        return Check(True, f"{host}:{port} answers, signed in as {who}")

    async def close(self) -> None:
        await self._connections.close()

    async def _send(self, message: Message) -> Outcome:
        try:
            to = _reachable(message.to)
        except ValueError as error:
            return Refused(Scope.RECIPIENT, "5.1.3", str(error))
        raw = mime.letter(
            message,
            to,
            sender=self._config.sender,
            reply_to=self._config.reply_to,
            now=datetime.now(UTC),
        )
        outcome = await self._transfer(_Letter(to, raw))
        if isinstance(outcome, Accepted):
            return Accepted(mime.message_id(message, self._config.sender))
        if isinstance(outcome, Refused):
            # Servers quote the address; in an attempt's text it would outlive the person's erasure.
            reason = outcome.reason.replace(to, "(address)")
            return Refused(outcome.scope, outcome.code, reason, suppress=outcome.suppress)
        return outcome

    async def _transfer(self, letter: _Letter) -> Outcome:
        stage = Stage.CONNECT
        async with self._connections.slot() as slot:
            try:
                async with asyncio.timeout(self._config.timeout.total_seconds()):
                    client = await slot.ready()
                    options, encoding = _options(client, letter)
                    stage = Stage.SENDER
                    await client.mail(
                        self._config.sender.address, options=options, encoding=encoding
                    )
                    stage = Stage.RECIPIENT
                    await client.rcpt(letter.to, encoding=encoding)
                    stage = Stage.DATA
                    await client.data(letter.raw)
            except aiosmtplib.SMTPResponseException as error:
                slot.reusable = error.code > 0
                return _failure(error, stage)
            except Unfit as error:
                slot.reusable = True
                return error.refusal
            except (aiosmtplib.SMTPException, OSError) as error:
                return _failure(error, stage)
            slot.reusable = True
            return Accepted()


def _reachable(address: str) -> str:
    """An international domain as ASCII; an international local part has no other form (RFC 6531)."""
    if not _ONE_ADDRESS.fullmatch(address):
        raise ValueError("is not an e-mail address")
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    if local.isascii():
        return ascii_address(address)
    return f"{local}@{ascii_address(f'a@{domain}').rpartition('@')[2]}"


def _options(client: aiosmtplib.SMTP, letter: _Letter) -> tuple[list[str], str]:
    """What goes with MAIL. Raises `Unfit` for an address that this server does not understand."""
    options = []
    if client.supports_extension("size"):
        # Then too big a letter is refused before its body has travelled (RFC 1870).
        options.append(f"SIZE={len(letter.raw)}")
    if letter.to.isascii():
        return options, "ascii"
    if not client.supports_extension("smtputf8"):
        raise Unfit(
            Refused(
                Scope.RECIPIENT,
                "5.6.7",
                "the mail server does not take addresses with other than Latin letters",
                suppress=False,
            )
        )
    return [*options, "SMTPUTF8"], "utf-8"


def _failure(error: Exception, stage: Stage) -> Retry | Refused:
    """What stopped the letter at this stage."""
    cause = error.__cause__ or error
    match error:
        case Unfit():
            return error.refusal
        case aiosmtplib.SMTPResponseException():
            return replies.outcome(error.code, error.message, stage)
        case _ if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {cause.verify_message}"
            return Refused(Scope.ACCOUNT, "certificate", reason)
        case _ if isinstance(cause, ssl.SSLError):
            return Retry("tls-failed", maybe_sent=stage is Stage.DATA)
        case TimeoutError():
            return Retry("no-answer", maybe_sent=stage is Stage.DATA)
        case _ if stage <= Stage.LOGIN:
            return Retry("no-connection")
        case _:
            return Retry("connection-lost", maybe_sent=stage is Stage.DATA)
