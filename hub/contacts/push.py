"""Push devices: an app's token or a browser's subscription, as they are given and as they are stored."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from channels import registry
from channels.base import Channel
from channels.push.subscription import Subscription

_FORMS: Mapping[str, registry.Device] = {
    provider: registry.described(channel, provider).device
    for channel, provider in registry.known()
    if channel == Channel.PUSH
}
_OTHER: Mapping[registry.Device, registry.Device] = {
    "token": "subscription",
    "subscription": "token",
}


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


def _known(provider: str) -> str:
    if provider not in _FORMS:
        raise ValueError(f"must be one of: {', '.join(_FORMS)}")
    return provider


def _providers(form: registry.Device) -> str:
    return ", ".join(f"`{provider}`" for provider, its in _FORMS.items() if its == form)


class Device(_Given):
    """`token` or `subscription`: each provider takes one of them.

    One model and no union: a fault's pointer then names only what the caller wrote.
    """

    provider: Annotated[
        StrictStr,
        AfterValidator(_known),
        WithJsonSchema({"type": "string", "enum": list(_FORMS)}),
    ]
    # Printable ASCII without the space.
    token: Annotated[
        Annotated[StrictStr, Field(max_length=4096, pattern=r"^[\x21-\x7e]+$")] | None,
        Field(description=f"With {_providers('token')}."),
    ] = None
    subscription: Annotated[
        SubscriptionIn | None, Field(description=f"With {_providers('subscription')}.")
    ] = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Device":
        needed = _FORMS[self.provider]
        other = _OTHER[needed]
        if getattr(self, needed) is None:
            raise ValueError(f'provider "{self.provider}" needs "{needed}"')
        if getattr(self, other) is not None:
            raise ValueError(f'provider "{self.provider}" has no "{other}"')
        return self

    @property
    def value(self) -> str:
        """As it is stored, and as the adapter takes it."""
        return canonical(self.subscription) if self.subscription else self.token or ""


def canonical(subscription: SubscriptionIn) -> str:
    """One subscription, one text: `endpoint` and `keys`, sorted, without spaces."""
    known = subscription.model_dump(exclude={"expirationTime"})
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()


def shown(provider: str | None, value: str) -> dict[str, Any]:
    """A stored device as it was given."""
    form = _FORMS.get(provider or "", "token")
    given = orjson.loads(value) if form == "subscription" else value
    return {"provider": provider, form: given}
