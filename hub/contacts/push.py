"""Push devices: an FCM token or a browser's subscription, as they are given and as they are stored."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictStr, model_validator

from channels.push.subscription import Subscription


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SubscriptionKeys(_Given):
    p256dh: Annotated[StrictStr, Field(max_length=200)]
    auth: Annotated[StrictStr, Field(max_length=100)]


class SubscriptionIn(_Given):
    """What `JSON.stringify(subscription)` gives in a browser."""

    endpoint: Annotated[StrictStr, Field(max_length=2048)]
    keys: SubscriptionKeys
    # Browsers name it, mostly as null; push services tell the end by 404 and 410 anyway.
    expirationTime: float | None = None  # noqa: N815

    @model_validator(mode="after")
    def _usable(self) -> "SubscriptionIn":
        Subscription.read(canonical(self))
        return self


class Device(_Given):
    """`token` with provider `fcm`, `subscription` with `webpush`.

    One model and no union: a fault's pointer then names only what the caller wrote.
    """

    provider: Literal["fcm", "webpush"]
    # Printable ASCII without the space.
    token: Annotated[StrictStr, Field(max_length=4096, pattern=r"^[\x21-\x7e]+$")] | None = None
    subscription: SubscriptionIn | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Device":
        needed, other = ("token", "subscription") if self.provider == "fcm" else _WEBPUSH
        if getattr(self, needed) is None:
            raise ValueError(f'provider "{self.provider}" needs "{needed}"')
        if getattr(self, other) is not None:
            raise ValueError(f'provider "{self.provider}" has no "{other}"')
        return self

    @property
    def value(self) -> str:
        """As it is stored, and as the adapter takes it."""
        return canonical(self.subscription) if self.subscription else self.token or ""


_WEBPUSH = ("subscription", "token")


def canonical(subscription: SubscriptionIn) -> str:
    """One subscription, one text: `endpoint` and `keys`, sorted, without spaces."""
    known = subscription.model_dump(exclude={"expirationTime"})
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()


def shown(provider: str | None, value: str) -> dict[str, Any]:
    """A stored device as it was given."""
    if provider == "webpush":
        return {"provider": provider, "subscription": orjson.loads(value)}
    return {"provider": provider, "token": value}
