"""Calls of Sendsay's JSON API (sendsay.ru/api/api.html): credentials, the envelope, what its errors mean."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from channels.base import Outcome, Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp, Reply, unclear

_AUTH_FAILED = "error/auth/failed"
_EXPIRED = "expired"
_THROTTLED = "rate_limit"

# The reference of errors is not public: these are the ids that their documentation and clients name. Whatever else
# comes is taken for the fault of the letter and shown with its id and explanation.
_REFUSALS: Mapping[str, Scope] = {
    _AUTH_FAILED: Scope.ACCOUNT,
    "too_many_auth_parameters": Scope.ACCOUNT,
    # The address of the sender: not added, waiting for their moderators, or forbidden by them.
    "error/sender/unknown": Scope.ACCOUNT,
    "error/sender/onmoderation": Scope.ACCOUNT,
    "error/sender/prohibited": Scope.ACCOUNT,
}

# Words that speak of the recipient, in the id or the explanation; whether the address is given up. Who is on the
# account's stop list or has not confirmed may still get from another account what needs no consent.
_RECIPIENT: Mapping[str, bool] = {
    "permanent delivery error": True,
    "stoplist": False,
    "stop list": False,
    "stop_list": False,
    "unconfirmed": False,
    "haslock": False,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """`login` is the account. A key (`token`), or the password of the account or of its user `sublogin`."""

    login: str
    token: SecretStr | None = None
    sublogin: str = ""
    password: SecretStr | None = None


class Failed(Exception):
    """The call was not carried out, or nobody can tell; `outcome` is what that means for a letter in it."""

    def __init__(self, outcome: Retry | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Error:
    id: str
    explain: str


class SendsayApi:
    """One account. A session is opened at the first call and renewed once within a call when it has expired."""

    def __init__(self, base_url: str, credentials: Credentials, http: ProviderHttp) -> None:
        self._url = f"{base_url}/general/api/v100/json/{quote(credentials.login, safe='')}"
        self._credentials = credentials
        self._http = http
        self._lock = asyncio.Lock()
        self._session = ""
        self._failed_at = float("-inf")
        self._failure: Retry | Refused = Retry("no-session")

    async def call(self, action: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of a call that was carried out. Raises `Failed`."""
        body = {"action": action, **(fields or {})}
        if self._credentials.token:
            # In the header alone: with the key in the body as well they refuse the call.
            key = self._credentials.token.get_secret_value()
            answer = await self._post(body, {"Authorization": f"sendsay apikey={key}"})
        else:
            session = await self._open()
            answer = await self._post({**body, "session": session})
            if _has_expired(_errors(answer)):
                self._forget(session)
                answer = await self._post({**body, "session": await self._open()})
        if errors := _errors(answer):
            raise Failed(_refused(errors))
        return answer

    async def _open(self) -> str:
        asked_at = time.monotonic()
        async with self._lock:
            if self._failed_at > asked_at:
                # Somebody else's attempt failed while this one waited: each has not to wait for its own.
                raise Failed(self._failure)
            if not self._session:
                try:
                    self._session = await self._login()
                except Failed as failed:
                    self._failed_at, self._failure = time.monotonic(), failed.outcome
                    raise
            return self._session

    def _forget(self, session: str) -> None:
        if self._session == session:
            self._session = ""

    async def _login(self) -> str:
        fields = {"action": "login", "login": self._credentials.login}
        if self._credentials.sublogin:
            fields["sublogin"] = self._credentials.sublogin
        if self._credentials.password:
            fields["passwd"] = self._credentials.password.get_secret_value()
        try:
            answer = await self._post(fields)
        except Failed as failed:
            if isinstance(failed.outcome, Refused):
                raise
            # The letter itself has not left, whatever became of this call.
            reason = f"login-{failed.outcome.reason}"
            raise Failed(replace(failed.outcome, reason=reason, maybe_sent=False)) from None
        if errors := _errors(answer):
            raise Failed(_refused(errors))
        session = answer.get("session")
        if not isinstance(session, str) or not session:
            raise Failed(Retry("login-unreadable"))
        return session

    async def _post(
        self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Errors come with 200, in the answer."""
        try:
            reply = await self._http.post(self._url, headers=headers, json=body)
        except NoReply as none:
            raise Failed(none.outcome) from None
        try:
            answer = reply.json()
        except NoReply:
            answer = None
        if not isinstance(answer, dict) or not answer:
            raise Failed(_trouble(reply))
        if reply.status != HTTPStatus.OK and not _errors(answer):
            raise Failed(_trouble(reply))
        return answer


def without(outcome: Outcome, addresses: Sequence[str]) -> Outcome:
    """What they explain may quote the address, which has one home only."""
    if not isinstance(outcome, Refused):
        return outcome
    reason = outcome.reason
    for address in addresses:
        reason = reason.replace(address, "(address)")
    return replace(outcome, reason=reason)


def _trouble(reply: Reply) -> Retry:
    """503 is how they say that the account's limit of calls is passed; after a 500 it may have been carried out."""
    outcome = unclear(reply)
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return outcome
    failed = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return replace(outcome, maybe_sent=True) if failed else outcome


def _errors(answer: Mapping[str, Any]) -> list[_Error]:
    """`errors` is a list of ids with explanations; `error`, and a single one without its list, have been seen."""
    found = answer.get("errors") or answer.get("error")
    if not found:
        return []
    return [_error(each) for each in (found if isinstance(found, list) else [found])]


def _error(value: Any) -> _Error:
    if not isinstance(value, dict):
        return _Error(str(value)[:100], "")
    explain = value.get("explain")
    if explain is not None and not isinstance(explain, str):
        explain = json.dumps(explain, ensure_ascii=False)
    return _Error(str(value.get("id") or "error")[:100], explain or "")


def _has_expired(errors: Sequence[_Error]) -> bool:
    return any(error.id == _AUTH_FAILED and _EXPIRED in error.explain for error in errors)


def _refused(errors: Sequence[_Error]) -> Retry | Refused:
    """By the first error, as their own clients take it."""
    error = errors[0]
    said = f"{error.id} {error.explain}".lower()
    if _THROTTLED in said:
        return Retry("throttled", throttled=True)
    reason = f"Sendsay refuses: {error.id} {error.explain}".strip()[:300]
    if scope := _REFUSALS.get(error.id):
        return Refused(scope, error.id, reason)
    for word, suppress in _RECIPIENT.items():
        if word in said:
            return Refused(Scope.RECIPIENT, error.id, reason, suppress=suppress)
    return Refused(Scope.MESSAGE, error.id, reason)
