"""MAX's bot API as both the adapter and the bot call it: the settings, one call, and what its refusals mean."""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, field_validator

from channels.base import AccountConfig, BaseUrl, Refused, Retry, Scope, Unavailable
from channels.http import UNTRUSTED, NoReply, ProviderHttp, Reply, unclear

_SECOND = timedelta(seconds=1)

# Looked for in the code and the texts of an answer, in lower case; the first that fits wins. The last member: whether
# the address is dead. The codes come from dev.max.ru and from what developers report: there is no list of them.
_REFUSALS: Mapping[str, tuple[Scope, bool]] = {
    "verify.token": (Scope.ACCOUNT, False),
    "deprecated.token": (Scope.ACCOUNT, False),
    "method.not.": (Scope.ACCOUNT, False),
    "dialog.not.found": (Scope.RECIPIENT, True),
    "dialog.notfound": (Scope.RECIPIENT, True),
    "chat.not.found": (Scope.RECIPIENT, True),
    "user.not.found": (Scope.RECIPIENT, True),
    # The same is said of a person who stopped the bot and of a bot that MAX has suspended. Who stopped it is known by
    # the update `bot_stopped`; here nobody is switched off.
    "dialog.suspended": (Scope.RECIPIENT, False),
    "chat.denied": (Scope.RECIPIENT, False),
    # No right in that chat. It may come back, and of that no update tells.
    "access.denied": (Scope.RECIPIENT, False),
    "proto.payload": (Scope.MESSAGE, False),
}
# For a code that is not known.
_OTHERWISE: Mapping[int, Scope] = {
    HTTPStatus.BAD_REQUEST: Scope.MESSAGE,
    HTTPStatus.UNAUTHORIZED: Scope.ACCOUNT,
    HTTPStatus.FORBIDDEN: Scope.RECIPIENT,
    HTTPStatus.NOT_FOUND: Scope.RECIPIENT,
    HTTPStatus.METHOD_NOT_ALLOWED: Scope.ACCOUNT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Scope.MESSAGE,
}
# What counts even where a web server in front says it, and not MAX.
_SAID_BY_STATUS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
_NOT_READY = ("attachment.not.ready", "attachment.file.not.processed")
_REASON_LENGTH = 300


def _ca_file(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise ValueError(f"{path} cannot be read") from None
    except (OSError, ValueError):
        raise ValueError(f"{path} holds no certificate in the form PEM") from None
    return path


class BotApiConfig(AccountConfig):
    """`ca_file`: certificates that are trusted for this account beside the system's."""

    token: SecretStr
    base_url: BaseUrl = "https://platform-api2.max.ru"
    receive: Literal["polling", "webhook"] = "polling"
    ca_file: Annotated[Path, AfterValidator(_ca_file)] | None = None

    @field_validator("token")
    @classmethod
    def _not_empty(cls, token: SecretStr) -> SecretStr:
        value = token.get_secret_value()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("must be the token as the cabinet of MAX shows it, in one piece")
        return token


class Client:
    """The token goes in a header: in the query MAX no longer takes it."""

    def __init__(self, config: BotApiConfig, http: ProviderHttp) -> None:
        self._token = config.token.get_secret_value()
        self._base_url = config.base_url
        self._ca_file = config.ca_file
        self._http = http

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        within: timedelta | None = None,
        long_poll: bool = False,
    ) -> Reply:
        """Raises `NoReply`."""
        return await self._http.request(
            method,
            f"{self._base_url}{path}",
            headers={"Authorization": self._token},
            params=params,
            json=json,
            within=within,
            long_poll=long_poll,
            ca_file=self._ca_file,
        )

    async def username(self) -> str:
        """The bot's public name. Raises `Unavailable`."""
        try:
            reply = await self.call("GET", "/me")
            answer = reply.json() if reply.status == HTTPStatus.OK else None
        except NoReply as none:
            raise Unavailable(self._why(none.outcome.reason)) from None
        if reply.status != HTTPStatus.OK:
            raise Unavailable(f"MAX refused: {self.refusal(reply).reason}")
        match answer:
            case {"username": str(username)} if username:
                return username
            case {"user_id": int()}:
                raise Unavailable("the bot has no public name: set one in the cabinet of MAX")
        raise Unavailable("MAX answered something unreadable")

    def refusal(self, reply: Reply) -> Retry | Refused:
        """Of an answer that is not 200: `{"code", "message"}`, matched by status, then by the words in it."""
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            # The header is not documented.
            return Retry("throttled", max(reply.retry_after, _SECOND), throttled=True)
        default = _OTHERWISE.get(reply.status)
        said = self._said(reply)
        if default is None or (said is None and reply.status not in _SAID_BY_STATUS):
            return unclear(reply)
        code, text = said or (f"http-{reply.status}", "no reason given")
        words = f"{code} {text}".lower()
        if any(part in words for part in _NOT_READY):
            return Retry("attachment-not-ready", _SECOND, throttled=True, alone=True)
        known = next((found for part, found in _REFUSALS.items() if part in words), None)
        if known is None or reply.status == HTTPStatus.UNAUTHORIZED:
            known = (default, False)
        scope, suppress = known
        return Refused(scope, code, text, suppress=suppress)

    def _said(self, reply: Reply) -> tuple[str, str] | None:
        """The code and the text. None: not MAX's words, but those of something in between."""
        try:
            answer = reply.json()
        except NoReply:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("code"), str):
            return None
        parts = (answer.get("message"), answer.get("error"))
        text = ": ".join(str(part) for part in parts if part) or "no reason given"
        return self._clean(answer["code"]) or f"http-{reply.status}", self._clean(text)

    def _clean(self, text: str) -> str:
        return text.replace(self._token, "***")[:_REASON_LENGTH]

    def _why(self, reason: str) -> str:
        if reason != UNTRUSTED:
            return f"MAX did not answer: {reason}"
        host = urlsplit(self._base_url).hostname
        if self._ca_file:
            return (
                f"the certificate of {host} is not signed by those of ca_file ({self._ca_file}): "
                "it must hold the Russian Trusted Root CA, see docs/providers/max.md"
            )
        return (
            f"the certificate of {host} is not trusted: download the Russian Trusted Root CA "
            "(docs/providers/max.md says where) and name its file in ca_file"
        )
