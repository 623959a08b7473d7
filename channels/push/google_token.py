"""The access token of a Google service account: what signs for it, and how it is fetched."""

import time
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from channels.access_token import LIFETIME, WITHIN, AccessToken, NoToken, lifetime
from channels.base import Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp, Reply

# Google's own libraries name this audience whatever `token_uri` the key file holds.
_AUDIENCE = "https://oauth2.googleapis.com/token"


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
        if "{" in str(path):
            raise ValueError(
                "must be the path of a service account's key file, and not what is in it"
            )
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
        return _rsa_key(self.private_key.get_secret_value())


# Whether it is one is checked with every look at the settings, and takes a tenth of a second.
@lru_cache(maxsize=16)
def _rsa_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


class GoogleToken(AccessToken):
    """Of one service account, for one scope."""

    def __init__(self, account: ServiceAccount, scope: str, http: ProviderHttp) -> None:
        super().__init__()
        self._account = account
        self._key = account.load_key()
        self._scope = scope
        self._http = http

    async def fetch(self) -> tuple[str, timedelta]:
        reply = await self._http.post(
            self._account.token_uri,
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": self._assertion(),
            },
            within=WITHIN,
        )
        return _read(reply)

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "scope": self._scope,
            "aud": _AUDIENCE,
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
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
        case {"access_token": str(value)} if value:
            return value, lifetime(answer.get("expires_in"))
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
