"""A contact: as requests give it, and as it is held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from channels.base import Channel
from hub.config import Locale, QuietHours, Zone
from hub.contacts import addresses, email, phone, push
from hub.contacts.addresses import Kind
from hub.contacts.instant import Instant
from hub.contacts.push import Device
from hub.wording import wording

MAX_ATTRIBUTES_BYTES = 16 * 1024
MAX_DEVICES = 20

_CLOCKS = timedelta(minutes=5)
"""By how much the clocks of two machines may differ."""


class Role(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"
    WAREHOUSE = "warehouse"
    ADMIN = "admin"


class ConsentState(StrEnum):
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class Given(BaseModel):
    """Part of a request. A field left out stays as it was, `null` clears it: `model_fields_set` tells which."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Marked(Given):
    """`{"value": …, "verified": …}`; given plainly, an address counts as verified."""

    verified: StrictBool = True


class GivenEmail(_Marked):
    value: Annotated[StrictStr, Field(max_length=320), AfterValidator(email.normalise)]


class GivenPhone(_Marked):
    value: Annotated[StrictStr, Field(max_length=40), AfterValidator(phone.normalise)]


class GivenChat(_Marked):
    value: Annotated[StrictStr, AfterValidator(addresses.chat)]


class GivenPeer(_Marked):
    value: Annotated[StrictStr, AfterValidator(addresses.peer)]


class GivenViber(_Marked):
    value: Annotated[StrictStr, AfterValidator(addresses.viber)]


GivenAddress = GivenEmail | GivenPhone | GivenChat | GivenPeer | GivenViber


def _plainly(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """A plain value is read as the object it is short for; its fault points at what the caller wrote."""
    if isinstance(given, dict | _Marked):
        return read(given)
    if not isinstance(given, str):
        raise ValueError('must be text, or an object of "value" and "verified"')
    try:
        return read({"value": given})
    except ValidationError as error:
        raise ValueError(wording(error.errors()[0])) from None


_PLAINLY = WrapValidator(_plainly)
_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"value": {"type": "string"}, "verified": {"type": "boolean"}},
                "required": ["value"],
                "additionalProperties": False,
            },
        ]
    }
)


class AddressesIn(Given):
    email: Annotated[GivenEmail, _PLAINLY, _SCHEMA] | None = None
    phone: Annotated[GivenPhone, _PLAINLY, _SCHEMA] | None = None
    telegram: Annotated[GivenChat, _PLAINLY, _SCHEMA] | None = None
    vk: Annotated[GivenPeer, _PLAINLY, _SCHEMA] | None = None
    max: Annotated[GivenChat, _PLAINLY, _SCHEMA] | None = None
    viber: Annotated[GivenViber, _PLAINLY, _SCHEMA] | None = None
    """The id by which a Viber bot knows the person; services that reach Viber by number use `phone`."""
    push: Annotated[tuple[Device, ...], Field(max_length=MAX_DEVICES)] | None = None
    """All devices there are: one that is not named is forgotten."""


def _unique(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    if len(set(channels)) < len(channels):
        raise ValueError("names a channel twice")
    return channels


_Wanted = Annotated[tuple[Channel, ...], AfterValidator(_unique)]


class PreferencesIn(Given):
    """The channels a person wants for a category, in order of liking; an empty list: none."""

    transactional: _Wanted | None = None
    marketing: _Wanted | None = None
    security: _Wanted | None = None
    quiet_hours: QuietHours | None = None


def _not_to_come(value: datetime) -> datetime:
    if value > datetime.now(UTC) + _CLOCKS:
        raise ValueError("must not be in the future")
    return value


class GivenConsent(Given):
    """With what proves it: where the person said it, when, and the words that stood there."""

    state: ConsentState
    wording: Annotated[StrictStr, Field(max_length=10_000)] = ""
    source: Annotated[StrictStr, Field(max_length=200)] = ""
    at: Annotated[Instant, AfterValidator(_not_to_come)] | None = None

    @property
    def says_more(self) -> bool:
        """Than the state alone."""
        return bool(self.wording or self.source or self.at)


def _as_state(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """The state alone is read as the object it is short for."""
    if not isinstance(given, str):
        return read(given)
    try:
        return read({"state": given})
    except ValidationError as error:
        raise ValueError(wording(error.errors()[0])) from None


_CONSENT_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "enum": [str(state) for state in ConsentState]},
            {
                "type": "object",
                "properties": {
                    "state": {"type": "string", "enum": [str(state) for state in ConsentState]},
                    "wording": {
                        "type": "string",
                        "maxLength": 10_000,
                        "description": "What the person read and agreed to.",
                    },
                    "source": {
                        "type": "string",
                        "maxLength": 200,
                        "description": "Where it was said: `checkout form`.",
                    },
                    "at": {
                        "type": "string",
                        "format": "date-time",
                        "description": "When; now if left out.",
                    },
                },
                "required": ["state"],
                "additionalProperties": False,
            },
        ]
    }
)


class ConsentsIn(Given):
    marketing: (
        Mapping[Channel, Annotated[GivenConsent, WrapValidator(_as_state), _CONSENT_SCHEMA] | None]
        | None
    ) = None


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(given))
    except (TypeError, RecursionError):
        raise ValueError(
            "holds a value that cannot be kept (a number too large, perhaps)"
        ) from None
    if size > MAX_ATTRIBUTES_BYTES:
        raise ValueError(f"is larger than {MAX_ATTRIBUTES_BYTES // 1024} KiB as JSON")
    return given


def _external_id(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must have no control characters and no spaces at its ends")
    return value


ExternalId = Annotated[StrictStr, Field(min_length=1, max_length=255), AfterValidator(_external_id)]


class ContactIn(Given):
    """`PUT /v1/contacts/{external_id}`. What is left out stays as it was, at every level; `null` clears."""

    role: Role | None = None
    name: Annotated[StrictStr, Field(max_length=200)] | None = None
    locale: Locale | None = None
    timezone: Annotated[Zone, Field(max_length=64)] | None = None
    addresses: AddressesIn | None = None
    attributes: Annotated[dict[str, Any], AfterValidator(_attributes)] | None = None
    preferences: PreferencesIn | None = None
    consents: ConsentsIn | None = None
    warehouses: Annotated[tuple[ExternalId, ...], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _places_are_for_storekeepers(self) -> "ContactIn":
        if self.warehouses and self.role not in (None, Role.WAREHOUSE):
            raise ValueError('only a contact of role "warehouse" names warehouses')
        return self


class KnownContactIn(ContactIn):
    """A contact inside a notification: found or made by its `external_id`."""

    external_id: ExternalId


@dataclass(frozen=True, slots=True)
class Address:
    """`value` in its stored form. `provider`: of push devices only. The id stays when the value changes, so
    that what waits for this address goes to the new value."""

    id: UUID
    kind: Kind
    value: str
    provider: str | None = None
    verified: bool = True

    @property
    def digest(self) -> bytes:
        return addresses.digest(self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Contact:
    """`external_id` is None for the receiver of one-off messages.

    `preferences` as stored: category -> list of channels, and `quiet_hours` -> {from, to, categories}.
    `consents`: category -> channel -> state.
    """

    id: UUID
    external_id: str | None
    role: Role = Role.BUYER
    name: str = ""
    locale: Locale | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[str, Any] = field(default_factory=dict)
    warehouses: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    consents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Upserted(NamedTuple):
    id: UUID
    created: bool


def shown(contact: Contact) -> dict[str, Any]:
    """The contact as the API shows it: in the shape in which it is given."""
    return {
        "id": str(contact.id),
        "external_id": contact.external_id,
        "role": contact.role,
        "name": contact.name,
        "locale": contact.locale,
        "timezone": contact.timezone,
        "addresses": _shown_addresses(contact.addresses),
        "attributes": contact.attributes,
        "preferences": contact.preferences,
        "consents": contact.consents,
        "warehouses": list(contact.warehouses),
        "created_at": contact.created_at.isoformat() if contact.created_at else None,
        "updated_at": contact.updated_at.isoformat() if contact.updated_at else None,
    }


def _shown_addresses(found: tuple[Address, ...]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for address in found:
        kind = str(address.kind)
        if address.kind is Kind.PUSH:
            shown.setdefault(kind, []).append(push.shown(address.provider, address.value))
        elif address.verified:
            shown[kind] = address.value
        else:
            shown[kind] = {"value": address.value, "verified": False}
    return shown
