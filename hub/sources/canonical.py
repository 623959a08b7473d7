"""The shape in which programs of a shop tell of customers, products, carts and orders: `POST /v1/events`, the generic
source, rows of an import."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from channels.base import Channel
from hub.sources.model import CartFacts, CustomerFacts, Kind, LineFacts, OrderFacts, ProductFacts
from hub.sources.values import number

MOST_LINES = 500


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _named(value: Any) -> Any:
    """Shops count their things: 42 is as good an id as "42"."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _amount(value: Any) -> Any:
    found = number(value)
    if found is None or found < 0:
        raise ValueError('must be a number that is not below zero, like "1990.00"')
    return found


def _some(value: Decimal) -> Decimal:
    if value == 0:
        raise ValueError("must be above zero")
    return value


def _in_range(value: datetime) -> datetime:
    if not 1990 <= value.year < 2100:
        raise ValueError("must be between the years 1990 and 2100")
    return value


_NUMBER = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
_ID_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})

Id = Annotated[
    str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_named), _ID_SCHEMA
]
_OptionalId = Annotated[str, StringConstraints(max_length=200), BeforeValidator(_named), _ID_SCHEMA]
Instant = Annotated[AwareDatetime, AfterValidator(_in_range)]
Amount = Annotated[Decimal, BeforeValidator(_amount), _NUMBER]
_Quantity = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_some), _NUMBER]
_Text = Annotated[str, StringConstraints(max_length=500)]
_Url = Annotated[str, StringConstraints(max_length=2048)]
_Words = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...],
    Field(max_length=100),
]


class CustomerData(_Data):
    """`id` left out: a guest, known by the e-mail or the phone. What is left out or empty never clears what is known."""

    id: _OptionalId = ""
    name: _Text = ""
    email: _Text = ""
    phone: _Text = ""
    locale: Annotated[str, StringConstraints(max_length=20)] = ""
    attributes: dict[str, Any] = Field(default_factory=dict, max_length=100)
    tags: _Words = ()
    lists: _Words = ()
    subscribed: dict[Channel, bool] = Field(
        default_factory=dict, description="By channel, whether marketing is welcome."
    )
    changed_at: Instant | None = None
    created_at: Instant | None = None

    def facts(self) -> CustomerFacts:
        return CustomerFacts(
            id=self.id,
            name=self.name,
            email=self.email,
            phone=self.phone,
            locale=self.locale,
            attributes=self.attributes,
            tags=self.tags,
            lists=self.lists,
            subscribed={str(channel): yes for channel, yes in self.subscribed.items()},
            changed_at=self.changed_at,
            created_at=self.created_at,
        )


class LineData(_Data):
    """`seller` and `warehouse` left out: those of the source."""

    id: _OptionalId = Field(default="", description="Left out: its place in the order.")
    sku: Annotated[str, StringConstraints(max_length=100)] = ""
    title: _Text = ""
    quantity: _Quantity = Decimal(1)
    price: Amount | None = None
    image_url: _Url = ""
    product: _OptionalId = ""
    seller: _OptionalId = ""
    seller_name: _Text = ""
    warehouse: _OptionalId = ""

    def facts(self, place: int) -> LineFacts:
        return LineFacts(
            id=self.id or str(place),
            title=self.title,
            quantity=self.quantity,
            sku=self.sku,
            price=self.price,
            image_url=self.image_url,
            product=self.product,
            seller=self.seller,
            seller_name=self.seller_name,
            warehouse=self.warehouse,
        )


def _not_too_many(lines: tuple[LineData, ...]) -> tuple[LineData, ...]:
    # Not by `max_length`: pydantic counts the valid items only and would blame the list for each bad one.
    if len(lines) > MOST_LINES:
        raise ValueError(f"must have at most {MOST_LINES} items")
    return lines


def _some_lines(lines: tuple[LineData, ...]) -> tuple[LineData, ...]:
    if not lines:
        raise ValueError("must have an item")
    return lines


_Lines = Annotated[
    tuple[LineData, ...],
    AfterValidator(_not_too_many),
    Field(json_schema_extra={"maxItems": MOST_LINES}),
]


def _lines(given: tuple[LineData, ...]) -> tuple[LineFacts, ...]:
    return tuple(line.facts(place) for place, line in enumerate(given, 1))


class ProductData(_Data):
    id: Id
    title: _Text = ""
    sku: Annotated[str, StringConstraints(max_length=100)] = ""
    price: Amount | None = None
    currency: Annotated[str, StringConstraints(max_length=3)] = ""
    url: _Url = ""
    image_url: _Url = ""
    quantity: Amount | None = Field(default=None, description="On stock.")
    changed_at: Instant | None = None

    def facts(self) -> ProductFacts:
        return ProductFacts(**dict(self))


class CartData(_Data):
    id: Id
    customer: CustomerData | None = None
    lines: _Lines = ()
    currency: Annotated[str, StringConstraints(max_length=3)] = ""
    total: Amount | None = None
    url: _Url = Field(default="", description="Where the customer goes on with it.")
    changed_at: Instant | None = None

    def facts(self) -> CartFacts:
        return CartFacts(
            id=self.id,
            customer=self.customer.facts() if self.customer else None,
            lines=_lines(self.lines),
            currency=self.currency,
            total=self.total,
            url=self.url,
            changed_at=self.changed_at,
        )


class DeliveryData(_Data):
    method: _Text = Field(default="", description="`pickup`, `courier`, `post` or the shop's word.")
    address: _Text = ""
    carrier: _Text = ""
    tracking: _Text = ""
    date: _Text = ""

    def facts(self) -> Mapping[str, str]:
        return {name: value for name, value in self if value}


class OrderData(_Data):
    id: Id
    number: _OptionalId = Field(default="", description="As people know it; left out: its id.")
    status: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="",
        description="A status of the hub, or the shop's own word, which the source's `mapping.statuses` knows.",
    )
    customer: CustomerData | None = None
    lines: Annotated[_Lines, AfterValidator(_some_lines)]
    currency: Annotated[str, StringConstraints(max_length=3)] = ""
    total: Amount | None = None
    delivery: DeliveryData = DeliveryData()
    labels_url: _Url = ""
    reason: _Text = Field(default="", description="Told to whoever hears of the status.")
    created_at: Instant | None = None
    changed_at: Instant | None = None

    def facts(self) -> OrderFacts:
        return OrderFacts(
            id=self.id,
            number=self.number or self.id,
            codes=((self.status,),) if self.status else (),
            lines=_lines(self.lines),
            customer=self.customer.facts() if self.customer else None,
            currency=self.currency,
            total=self.total,
            delivery=self.delivery.facts(),
            labels_url=self.labels_url,
            reason=self.reason,
            created_at=self.created_at,
            changed_at=self.changed_at,
        )


class GoneData(_Data):
    """Of what was deleted."""

    id: Id
    changed_at: Instant | None = None


Data = CustomerData | ProductData | CartData | OrderData

MODEL_OF: Mapping[Kind, type[Data]] = {
    Kind.CUSTOMER: CustomerData,
    Kind.PRODUCT: ProductData,
    Kind.CART: CartData,
    Kind.ORDER: OrderData,
}
