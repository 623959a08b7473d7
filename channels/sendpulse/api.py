"""The way in to SendPulse, for all its services: settings, calls, questions (sendpulse.com/integrations/api)."""

from http import HTTPStatus
from typing import Any, Self

from pydantic import SecretStr, model_validator

from channels.access_token import NoToken
from channels.base import AccountConfig, BaseUrl, Limits, Refused, Unavailable
from channels.http import NoReply, ProviderHttp, Reply
from channels.sendpulse.refusals import denies, error_code, refusal
from channels.sendpulse.token import ClientToken

# A hard limit, of all services of an account together.
LIMITS = Limits(per_second=10, concurrency=10)

# E.164: country code and number have fifteen digits at most.
_DIGITS = range(7, 16)


class SendpulseConfig(AccountConfig):
    """`token` is a static API key; without one `client_id` and `client_secret`, for tokens of an hour."""

    token: SecretStr | None = None
    client_id: str = ""
    client_secret: SecretStr | None = None
    base_url: BaseUrl = "https://api.sendpulse.com"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        key = bool(self.token and self.token.get_secret_value())
        pair = bool(self.client_id and self.client_secret and self.client_secret.get_secret_value())
        if key == pair:
            raise ValueError("needs either token, or client_id and client_secret")
        return self


class Declined(Unavailable):
    """The service was asked, and says that it has no answer to this question."""

    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.code = code


class Api:
    """One account's calls."""

    def __init__(self, config: SendpulseConfig, http: ProviderHttp) -> None:
        self._base_url = config.base_url
        self._http = http
        self._key = config.token.get_secret_value() if config.token else ""
        self._access: ClientToken | None = None
        if not self._key and config.client_secret:
            self._access = ClientToken(
                config.base_url, config.client_id, config.client_secret, http
            )

    async def call(self, method: str, path: str, json: Any = None) -> Reply:
        """An answer of any status. Raises `NoReply` and `NoToken`.

        A token can be withdrawn before its time, so the first 401 asks for a new one.
        """
        if self._access is None:
            return await self._request(method, path, json, self._key)
        token = await self._access.get()
        reply = await self._request(method, path, json, token)
        if reply.status != HTTPStatus.UNAUTHORIZED:
            return reply
        self._access.forget(token)
        return await self._request(method, path, json, await self._access.get())

    async def ask(self, method: str, path: str, json: Any = None) -> Any:
        """The answer to a question, as JSON. Raises `Unavailable`, and its `Declined`."""
        try:
            reply = await self.call(method, path, json)
            body = reply.json()
        except NoReply as none:
            raise Unavailable(f"SendPulse cannot be asked now: {none.outcome.reason}") from None
        except NoToken as none:
            raise Unavailable(f"SendPulse gives no access token: {_of(none.outcome)}") from None
        if reply.status == HTTPStatus.OK and not denies(body) and error_code(body) is None:
            return body
        text = f"SendPulse refuses: {_of(refusal(reply, body))}"
        if reply.status in _DECLINING:
            raise Declined(text, error_code(body))
        raise Unavailable(text)

    async def balance(self) -> str:
        """For people: what is on the account. Raises `Unavailable`."""
        match await self.ask("GET", "/balance"):
            case {"balance_currency": int() | float() | str() as sum_, **rest}:
                return f"balance {sum_} {rest.get('currency', '')}".rstrip()
        raise Unavailable("SendPulse gives no balance: is base_url right?")

    async def _request(self, method: str, path: str, json: Any, token: str) -> Reply:
        return await self._http.request(
            method,
            f"{self._base_url}{path}",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            json=json,
        )


_DECLINING = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


def digits(phone: str) -> str:
    """The number as these services take it; empty where it is none."""
    number = phone.removeprefix("+")
    usable = number.isascii() and number.isdecimal() and len(number) in _DIGITS
    return number if usable else ""


def _of(outcome: object) -> str:
    if isinstance(outcome, Refused):
        return f"{outcome.code} {outcome.reason}"
    return str(getattr(outcome, "reason", outcome))
