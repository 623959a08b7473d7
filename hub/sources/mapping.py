"""What of a source a shop has set up itself: fields, statuses, what may be overwritten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from hub.config import OrderStatus
from hub.sources import values
from hub.sources.model import CartFacts, CustomerFacts, Facts, Kind, OrderFacts
from hub.sources.paths import Work, compile_path
from hub.wording import wording

Overwrite = Literal["always", "if_empty", "never"]

_STAGE = {status: stage for stage, status in enumerate(OrderStatus)}
"""In the order in which an order goes through them."""

_TEXTS: Mapping[str, Sequence[str]] = {
    "customer": ("name", "email", "phone", "locale"),
    "product": ("title", "sku", "currency", "url", "image_url"),
    "cart": ("currency", "url"),
    "order": ("number", "currency", "labels_url", "reason"),
}
_AMOUNTS: Mapping[str, Sequence[str]] = {
    "product": ("price", "quantity"),
    "cart": ("total",),
    "order": ("total",),
}
_DELIVERY = ("method", "address", "carrier", "tracking", "date")
_WORDS = ("tags", "lists")
_MOST_FAULTS = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _path(written: str) -> str:
    compile_path(written)
    return written


def _target(name: str) -> str:
    """Raises `ValueError` for what no field of ours is called."""
    kind, _, field = name.partition(".")
    if field in (*_TEXTS.get(kind, ()), *_AMOUNTS.get(kind, ())):
        return name
    if kind == "customer" and (
        field in _WORDS or field.removeprefix("attributes.") not in ("", field)
    ):
        return name
    if kind == "order" and (field == "status" or field.removeprefix("delivery.") in _DELIVERY):
        return name
    raise ValueError(
        "must be a field like customer.name, customer.attributes.city, order.total, order.status or"
        " order.delivery.tracking"
    )


PathText = Annotated[str, AfterValidator(_path)]
Target = Annotated[str, StringConstraints(max_length=120), AfterValidator(_target)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Overwriting(_Part):
    """Which of a contact's fields the platform may write: `name`, `locale`, `addresses.email`, `addresses.phone`,
    `attributes.<name>`."""

    default: Overwrite = "always"
    fields: Mapping[_Word, Overwrite] = Field(default_factory=dict, max_length=100)

    def of(self, field: str) -> Overwrite:
        return self.fields.get(field, self.default)


class SourceMapping(_Part):
    """`fields`: field of ours → path in the platform's payload, read over what the platform's module reads;
    `statuses`: the platform's words → ours, null: it says nothing; `write_back`: ours → the platform's."""

    fields: Mapping[Target, PathText] = Field(default_factory=dict, max_length=100)
    statuses: Mapping[_Word, OrderStatus | None] = Field(default_factory=dict, max_length=500)
    write_back: Mapping[OrderStatus, _Word] = Field(default_factory=dict)
    overwrite: Overwriting = Overwriting()
    tags: tuple[_Word, ...] = Field((), max_length=50)
    lists: tuple[_Word, ...] = Field((), max_length=50)
    stock: Literal["ask_first", "as_told"] = "ask_first"


def read_mapping(stored: Mapping[str, Any]) -> tuple[SourceMapping, str]:
    """As it was stored, perhaps by another version of the hub; and what this one would not take of it, where there is
    such a thing: of a mapping that counts in part nobody knows what it does, so none of it does."""
    # A field that no version knows any more says nothing.
    known = {name: stored[name] for name in SourceMapping.model_fields if name in stored}
    try:
        return SourceMapping.model_validate(known), ""
    except ValidationError as error:
        return SourceMapping(), "; ".join(_fault(one) for one in error.errors()[:_MOST_FAULTS])


def _fault(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return f"{where} {wording(error)}"


@dataclass(frozen=True, slots=True)
class Mapped:
    """`target`: the furthest status that is said, None: none; `paid`: whether one says that it was paid; `unknown`:
    words that neither the shop's map nor the platform's knows."""

    target: OrderStatus | None
    paid: bool
    unknown: tuple[str, ...]


def status_of(
    codes: Sequence[Sequence[str]],
    mapping: SourceMapping,
    statuses: Mapping[str, OrderStatus | None],
) -> Mapped:
    """`codes`: chains of fallbacks, as in `OrderFacts`; `statuses`: the platform's own map. The shop's counts first,
    for each word."""
    known = {**statuses, **mapping.statuses}
    found: list[OrderStatus] = []
    unknown: list[str] = []
    for chain in codes:
        word = next((word for word in chain if word in known), None)
        if word is None:
            unknown += chain[:1]
        elif (status := known[word]) is not None:
            found.append(status)
    target = max(found, key=_STAGE.__getitem__, default=None)
    return Mapped(target, OrderStatus.PAID in found, tuple(dict.fromkeys(unknown)))


def overridden(
    kind: Kind, payload: Mapping[str, Any], facts: Facts, mapping: SourceMapping
) -> Facts:
    """The facts with what the shop's own paths find in the payload; where they find nothing, the module's word stays.
    Paths of customers count for those of carts and orders, too, read in the payload of these."""
    work = Work()
    read = {
        target: value
        for target, path in mapping.fields.items()
        if target.partition(".")[0] in (kind, Kind.CUSTOMER)
        and (value := compile_path(path).get(payload, work)) not in (None, "", [])
    }
    if not read:
        return facts
    mine = {
        target.partition(".")[2]: value
        for target, value in read.items()
        if target.startswith(f"{kind}.")
    }
    theirs = {
        target.partition(".")[2]: value
        for target, value in read.items()
        if target.startswith("customer.")
    }
    if isinstance(facts, CustomerFacts):
        return _customer(facts, theirs)
    if isinstance(facts, CartFacts | OrderFacts) and theirs:
        facts = replace(facts, customer=_customer(facts.customer or CustomerFacts(), theirs))
    if isinstance(facts, OrderFacts):
        return _order(facts, mine)
    return replace(facts, **_plain(kind, mine))


def _plain(kind: Kind, read: Mapping[str, Any]) -> dict[str, Any]:
    texts = {
        name: text for name in _TEXTS[kind] if name in read and (text := values.text(read[name]))
    }
    amounts = {
        name: amount
        for name in _AMOUNTS.get(kind, ())
        if name in read and (amount := values.money(read[name])) is not None
    }
    return texts | amounts


def _customer(facts: CustomerFacts, read: Mapping[str, Any]) -> CustomerFacts:
    attributes = {
        name.removeprefix("attributes."): value
        for name, value in read.items()
        if name.startswith("attributes.")
    }
    words: dict[str, Any] = {name: _listed(read[name]) for name in _WORDS if name in read}
    return replace(
        facts,
        **_plain(Kind.CUSTOMER, read),
        **words,
        attributes={**facts.attributes, **attributes},
    )


def _order(facts: OrderFacts, read: Mapping[str, Any]) -> OrderFacts:
    delivery = {
        name: text
        for name in _DELIVERY
        if (text := values.text(read.get(f"delivery.{name}"))) != ""
    }
    status = values.text(read.get("status"), 100)
    return replace(
        facts,
        **_plain(Kind.ORDER, read),
        delivery={**facts.delivery, **delivery},
        codes=((status,),) if status else facts.codes,
    )


def _listed(value: Any) -> tuple[str, ...]:
    """A list of words, or words in one text with commas between them."""
    if isinstance(value, str):
        value = value.split(",")
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(word for item in items if (word := values.text(item, 100))))
