"""The access token of an account at SendPulse: fetched, kept, renewed ahead of its end."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from channels.base import Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp, Reply
from channels.sendpulse.refusals import error_code, refusal

_LIFETIME = timedelta(hours=1)
_RENEW_BEFORE = timedelta(minutes=5)
_WITHIN = timedelta(seconds=10)


class NoToken(Exception):
    """There is no token; `outcome` is what that means for the messages that wait for one."""

    def __init__(self, outcome: Retry | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float


class AccessToken:
    """One token for all calls of an account (OAuth 2.0, client_credentials)."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: SecretStr, http: ProviderHttp
    ) -> None:
        self._url = f"{base_url}/oauth/access_token"
        self._client_id = client_id
        self._client_secret = client_secret
        self._http = http
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._failed_at = float("-inf")
        self._failure: Retry | Refused = Retry("no-token")

    async def get(self) -> str:
        """A token that holds for now. Raises `NoToken`."""
        asked_at = time.monotonic()
        if self._token and asked_at < self._token.renew_at:
            return self._token.value
        async with self._lock:
            if self._token and time.monotonic() < self._token.renew_at:
                return self._token.value
            if self._failed_at > asked_at:
                # Somebody else's attempt failed while this one waited: not each waits for a timeout of its own.
                raise NoToken(self._failure)
            return await self._renew()

    def forget(self, value: str) -> None:
        """The service does not take this token any more; a newer one, if there is one by now, is kept."""
        if self._token and self._token.value == value:
            self._token = None

    async def _renew(self) -> str:
        try:
            self._token = await self._fetch()
        except NoToken as none:
            self._failed_at, self._failure = time.monotonic(), none.outcome
            raise
        return self._token.value

    async def _fetch(self) -> _Token:
        asked_at = time.monotonic()
        try:
            reply = await self._http.post(
                self._url,
                json={
                    "grant_type": "client_credentials",
                    "client_id": self._client_id,
                    "client_secret": self._client_secret.get_secret_value(),
                },
                within=_WITHIN,
            )
            value, holds = _read(reply)
        except NoReply as none:
            # The message itself has not left, whatever became of this call.
            outcome = none.outcome
            raise NoToken(
                replace(outcome, reason=f"token-{outcome.reason}", maybe_sent=False)
            ) from None
        ends_at = asked_at + holds.total_seconds()
        return _Token(value, max(ends_at - _RENEW_BEFORE.total_seconds(), asked_at + 1))


def _read(reply: Reply) -> tuple[str, timedelta]:
    """The token and how long it holds. Raises `NoToken`, and `NoReply` where the answer cannot be read."""
    body = reply.json()
    match body:
        case {"access_token": str(value), "expires_in": int(seconds)} if value and seconds > 0:
            return value, timedelta(seconds=seconds)
        case {"access_token": str(value)} if value:
            return value, _LIFETIME
    outcome = refusal(reply, body)
    later = (
        reply.status < HTTPStatus.BAD_REQUEST or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
    if isinstance(outcome, Retry) and (later or outcome.throttled):
        raise NoToken(replace(outcome, reason=f"token-{outcome.reason}", maybe_sent=False))
    raise NoToken(_denied(reply, body))


def _denied(reply: Reply, body: Any) -> Refused:
    """In OAuth's own form (RFC 6749, 5.2), which has words instead of numbers."""
    said = body if isinstance(body, dict) else {}
    code = str(said.get("error") or error_code(body) or f"token-http-{reply.status}")
    text = said.get("error_description") or said.get("message")
    return Refused(
        Scope.ACCOUNT, code[:100], str(text or "no access token for these credentials")[:300]
    )
