"""What a shop may say of orders, places and answers; all that can be seen from the request alone is checked."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol, TypeVar

from babel.numbers import list_currencies
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from hub.config import Zone
from hub.contacts.model import ExternalId
from hub.orders.model import OrderStatus
from hub.repeated import first_repeated

_MONEY = re.compile(r"\d{1,15}(\.\d{1,4})?", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*")
_CURRENCIES = frozenset(list_currencies())
_MOST_LINES = 500
_MOST_PIECES = 1_000_000


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _money(value: Any) -> Any:
    if isinstance(value, str) and _MONEY.fullmatch(value):
        return Decimal(value)
    raise ValueError('must be a decimal string like "1990.00"')


def _currency(value: str) -> str:
    if value not in _CURRENCIES:
        raise ValueError('must be a currency of ISO 4217, like "RUB"')
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("must be an http:// or https:// URL")
    return value


def _line_id(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must have no control characters and no spaces at its ends")
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,15}(\.\d{1,4})?$"}),
]
Currency = Annotated[str, Field(min_length=3, max_length=3), AfterValidator(_currency)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_url)]
LineId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line_id)]
_Text = Annotated[str, StringConstraints(max_length=500)]


class RefIn(_In):
    """Somebody or something by the shop's own id."""

    external_id: ExternalId


class LineIn(_In):
    id: LineId
    sku: Annotated[str, Field(max_length=100)] = ""
    title: Annotated[str, Field(min_length=1, max_length=500)]
    quantity: int = Field(ge=1, le=_MOST_PIECES)
    price: Money | None = Field(default=None, description="Of one piece.")
    image_url: Url | None = None
    seller: RefIn = Field(description="A contact of role `seller` that is known already.")
    warehouse: RefIn | None = Field(
        default=None, description="One not known yet is made. null: the seller is asked."
    )


class DeliveryIn(_In):
    """A key left out stays as it was, `null` clears it."""

    method: _Text | None = Field(
        default=None, description="`pickup`, `courier`, `post` or the shop's word."
    )
    address: _Text | None = None
    carrier: _Text | None = None
    tracking: _Text | None = None
    date: _Text | None = Field(default=None, description="A date, or what the shop says of it.")


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


LineT = TypeVar("LineT", bound=_HasId)


def _listed(lines: tuple[LineT, ...]) -> tuple[LineT, ...]:
    # Not by `min_length`: pydantic counts the valid items only and would blame the list for each bad one.
    if not 1 <= len(lines) <= _MOST_LINES:
        raise ValueError(f"must have 1 to {_MOST_LINES} items")
    doubled = first_repeated(line.id for line in lines)
    if doubled is not None:
        raise ValueError(f"the line {doubled!r} stands twice")
    return lines


_LABELS = Field(
    default=None,
    description="Leads to the public internet, or into a network that the setting `outgoing_allow` names.",
)
_LISTED = Field(json_schema_extra={"minItems": 1, "maxItems": _MOST_LINES})


_ORDER: JsonDict = {
    "number": "1001",
    "buyer": {"external_id": "buyer-42"},
    "currency": "RUB",
    "total": "3980.00",
    "lines": [
        {
            "id": "1",
            "sku": "A-1",
            "title": "Чайник",
            "quantity": 2,
            "price": "1990.00",
            "seller": {"external_id": "seller-7"},
            "warehouse": {"external_id": "wh-7"},
        }
    ],
}


class OrderIn(_In):
    """`PUT /v1/orders/{external_id}`. Of what is not required, what is left out stays as it was; of a new
    order `status` is then `placed` and `currency` `RUB`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ORDER]})

    number: Annotated[str, Field(min_length=1, max_length=100)]
    status: OrderStatus | None = None
    buyer: RefIn | None = Field(default=None, description="A contact that is known already.")
    currency: Currency | None = None
    total: Money | None = None
    lines: Annotated[tuple[LineIn, ...], AfterValidator(_listed), _LISTED]
    delivery: DeliveryIn | None = None
    labels_url: Url | None = _LABELS


class StatusIn(_In):
    """`delivery` and `labels_url` are taken over even where the status is late."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "shipped", "delivery": {"tracking": "RA123"}}]}
    )

    status: OrderStatus
    reason: _Text = Field(default="", description="Told to whoever hears of it.")
    delivery: DeliveryIn | None = None
    labels_url: Url | None = _LABELS


def _opening(value: tuple[str, str]) -> tuple[str, str]:
    opens, closes = value
    if not _CLOCK.fullmatch(opens) or not (_CLOCK.fullmatch(closes) or closes == "24:00"):
        raise ValueError('must be two times of day, like ["09:00", "18:00"]')
    if opens == closes:
        raise ValueError('must be two different times (day and night: ["00:00", "24:00"])')
    return value


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Opening = Annotated[tuple[str, str], AfterValidator(_opening)]


class WarehouseIn(_In):
    """What is left out stays as it was, `null` clears it."""

    name: Annotated[str, Field(max_length=200)] | None = None
    address: _Text | None = None
    timezone: Annotated[Zone, Field(max_length=64)] | None = None
    hours: Mapping[Day, Opening] | None = Field(
        default=None, description="A day left out is closed; none at all: always open."
    )
    seller: RefIn | None = None


class LineAnswerIn(_In):
    id: LineId
    confirmed: int = Field(ge=0, le=_MOST_PIECES)


class AnswerIn(_In):
    """Somebody's answer, given by phone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"lines": [{"id": "1", "confirmed": 1}], "by": "wh-7-anna"}]
        }
    )

    lines: Annotated[tuple[LineAnswerIn, ...], AfterValidator(_listed), _LISTED]
    by: ExternalId = Field(
        description="Who said so: a contact's `external_id`, or any name on one line. It is shown to the others who"
        " were asked; whoever has answered may correct it for 5 minutes, by the same name."
    )
