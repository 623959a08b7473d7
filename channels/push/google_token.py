"""The access token of a Google service account: signed for, fetched, renewed ahead of its end."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from channels.base import Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp, Reply

# Google's own libraries name this audience whatever `token_uri` the key file holds.
_AUDIENCE = "https://oauth2.googleapis.com/token"
_LIFETIME = timedelta(hours=1)
_RENEW_BEFORE = timedelta(minutes=5)
# With a token that still holds, a failed renewal is not tried again at every message.
_PAUSE_AFTER_FAILURE = timedelta(seconds=20)
_WITHIN = timedelta(seconds=10)


class ServiceAccount(BaseModel):
    """What of a service account's JSON file is needed to sign for a token."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    project_id: str
    client_email: str
    private_key_id: str
    private_key: SecretStr
    token_uri: str = _AUDIENCE

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `ValueError` that names the path and never what is in the file."""
        try:
            account = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            wrong = ", ".join(
                sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]})
            )
            what = f"wrong or missing: {wrong}" if wrong else "not JSON"
            raise ValueError(f"{path} is not a service account's key file ({what})") from None
        try:
            account.load_key()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError(f"{path} holds no usable RSA key in private_key") from None
        return account

    def load_key(self) -> RSAPrivateKey:
        key = load_pem_private_key(self.private_key.get_secret_value().encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("not an RSA key")
        return key


class NoToken(Exception):
    """There is no token; `outcome` is what that means for the messages that wait for one."""

    def __init__(self, outcome: Retry | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float
    ends_at: float


class AccessToken:
    """One token for all messages of an account; whoever finds it old renews it, the others wait or go on."""

    def __init__(self, account: ServiceAccount, scope: str, http: ProviderHttp) -> None:
        self._account = account
        self._key = account.load_key()
        self._scope = scope
        self._http = http
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._failed_at = float("-inf")
        self._failure: Retry | Refused = Retry("no-token")

    async def get(self) -> str:
        """A token that holds for now. Raises `NoToken`."""
        asked_at = time.monotonic()
        token = self._token
        if token and (
            asked_at < token.renew_at or (self._lock.locked() and asked_at < token.ends_at)
        ):
            return token.value
        async with self._lock:
            if self._token and time.monotonic() < self._token.renew_at:
                return self._token.value
            if self._failed_at > asked_at:
                # Somebody else's attempt failed while this one waited: a hundred waiting messages must
                # not each wait for a timeout of their own.
                raise NoToken(self._failure)
            return await self._renew()

    def forget(self, value: str) -> None:
        """The provider does not take this token any more; a newer one, if there is one by now, is kept."""
        if self._token and self._token.value == value:
            self._token = None

    async def _renew(self) -> str:
        try:
            self._token = await self._fetch()
        except NoToken as none:
            now = time.monotonic()
            self._failed_at, self._failure = now, none.outcome
            old = self._token
            if old is None or old.ends_at <= now:
                raise
            self._token = replace(old, renew_at=now + _PAUSE_AFTER_FAILURE.total_seconds())
        return self._token.value

    async def _fetch(self) -> _Token:
        asked_at = time.monotonic()
        try:
            reply = await self._http.post(
                self._account.token_uri,
                data={
                    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "assertion": self._assertion(),
                },
                within=_WITHIN,
            )
            value, holds = _read(reply)
        except NoReply as none:
            # The message itself has not left, whatever became of this call.
            raise NoToken(
                replace(none.outcome, reason=f"token-{none.outcome.reason}", maybe_sent=False)
            ) from None
        ends_at = asked_at + holds.total_seconds()
        renew_at = ends_at - _RENEW_BEFORE.total_seconds()
        return _Token(value, max(renew_at, asked_at + 1), ends_at)

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "scope": self._scope,
            "aud": _AUDIENCE,
            "iat": now,
            "exp": now + int(_LIFETIME.total_seconds()),
        }
        headers = {"kid": self._account.private_key_id}
        return jwt.encode(claims, self._key, algorithm="RS256", headers=headers)


def _read(reply: Reply) -> tuple[str, timedelta]:
    """The token and how long it holds. Raises `NoToken`, and `NoReply` where the answer cannot be read."""
    status = reply.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise NoToken(Retry("token-throttled", reply.retry_after, throttled=True))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NoToken(Retry(f"token-http-{status}", reply.retry_after))
    if status >= HTTPStatus.BAD_REQUEST:
        raise NoToken(_refusal(reply))
    answer = reply.json()
    match answer:
        case {"access_token": str(value), "expires_in": int(seconds)}:
            return value, timedelta(seconds=seconds)
        case {"access_token": str(value)}:
            return value, _LIFETIME
        case _:
            raise NoToken(Retry(f"token-http-{status}-unreadable"))


def _refusal(reply: Reply) -> Refused:
    """`invalid_grant` is a deleted key, a disabled account, or a clock that is wrong by minutes."""
    try:
        answer = reply.json()
    except NoReply:
        answer = None
    if not isinstance(answer, dict):
        return Refused(
            Scope.ACCOUNT,
            f"token-http-{reply.status}",
            "the token server did not understand the call",
        )
    code = str(answer.get("error", f"token-http-{reply.status}"))
    text = str(answer.get("error_description", "no access token for these credentials"))
    return Refused(Scope.ACCOUNT, code, text)
