"""The access token of an account at SendPulse: how it is fetched."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from channels.access_token import WITHIN, AccessToken, NoToken, lifetime
from channels.base import Refused, Retry, Scope
from channels.http import ProviderHttp, Reply
from channels.sendpulse.refusals import error_code, refusal


class ClientToken(AccessToken):
    """Of one account (OAuth 2.0, client_credentials)."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: SecretStr, http: ProviderHttp
    ) -> None:
        super().__init__()
        self._url = f"{base_url}/oauth/access_token"
        self._client_id = client_id
        self._client_secret = client_secret
        self._http = http

    async def fetch(self) -> tuple[str, timedelta]:
        reply = await self._http.post(
            self._url,
            json={
                "grant_type": "client_credentials",
                "client_id": self._client_id,
                "client_secret": self._client_secret.get_secret_value(),
            },
            within=WITHIN,
        )
        return _read(reply)


def _read(reply: Reply) -> tuple[str, timedelta]:
    """The token and how long it holds. Raises `NoToken`, and `NoReply` where the answer cannot be read."""
    body = reply.json()
    match body:
        case {"access_token": str(value)} if value:
            return value, lifetime(body.get("expires_in"))
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
