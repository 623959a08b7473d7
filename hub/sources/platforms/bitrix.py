"""1C-Bitrix: its site cannot call out by itself, so our script (`integrations/bitrix`) posts orders and users whole."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import orjson

from channels.base import BadHook, Check, Limits
from hub.config import OrderStatus
from hub.sources.base import Call, SourceConfig, Unreadable
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CustomerFacts,
    Facts,
    Heard,
    Incoming,
    Kind,
    LineFacts,
    OrderFacts,
)
from hub.sources.values import first, instant, money, number, required, rows, table, text, yes
from hub.sources.whitelist import Spec, kept
from hub.webhooks import signing

_ORDER: Spec = {
    **dict.fromkeys(
        (
            *("id", "account_number", "site_id", "user_id", "status_id", "payed", "canceled"),
            *("reason_canceled", "date_insert", "price", "currency", "comment"),
            *("name", "email", "phone", "address"),
        ),
        True,
    ),
    "items": [
        dict.fromkeys(
            ("id", "product_id", "xml_id", "article", "name", "quantity", "price", "url"), True
        )
    ],
    "shipments": [
        dict.fromkeys(
            ("id", "status_id", "deducted", "tracking_number", "delivery_name", "store_id"), True
        )
    ],
    # The order's properties by their codes: the shop's own, so a mapping may want any of them.
    "properties": {"*": True},
}
_CUSTOMER: Spec = dict.fromkeys(
    ("id", "name", "last_name", "email", "phone", "language_id", "date_register"), True
)
_SPECS: Mapping[Kind, Spec] = {Kind.ORDER: _ORDER, Kind.CUSTOMER: _CUSTOMER}


class BitrixConfig(SourceConfig):
    """Nothing: the site tells everything by itself, and is asked nothing."""


class Bitrix:
    Config: ClassVar[type[SourceConfig]] = BitrixConfig
    platform: ClassVar[str] = "bitrix"
    title: ClassVar[str] = "1C-Bitrix"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    # The letters of a new site; shops add their own. Payment and cancellation are flags beside them, and parcels have
    # statuses of their own.
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "N": OrderStatus.PLACED,
        "P": OrderStatus.PAID,
        "F": OrderStatus.DELIVERED,
        "paid": OrderStatus.PAID,
        "canceled": OrderStatus.CANCELLED,
        "deducted": OrderStatus.SHIPPED,
        "shipment:DN": None,
        "shipment:DF": OrderStatus.SHIPPED,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {}
    limits: ClassVar[Limits] = Limits()

    def __init__(self, _config: BitrixConfig, _http: ShopHttp, *, secret: str = "") -> None:
        self._secret = secret

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """Signed as Standard Webhooks have it: `{event, occurred_at, order: {…}}`."""
        request = call.request
        if not signing.verify([self._secret], request.headers, request.body, now=now):
            raise BadHook("the signature does not match", forged=True)
        try:
            body = table(orjson.loads(request.body))
            event = _incoming(body, request.headers["webhook-id"], now)
        except orjson.JSONDecodeError:
            raise BadHook("not JSON") from None
        except Unreadable as error:
            raise BadHook(str(error)) from None
        return Heard((event,) if event else ())

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        match kind:
            case Kind.ORDER:
                return _order(payload)
            case Kind.CUSTOMER:
                return _customer(payload)
        raise Unreadable(f"{kind}: the script tells of orders and customers")

    async def check(self) -> Check:
        return Check(ok=True, text="the site is asked nothing; its script says whether we hear it")


def _incoming(body: Mapping[str, Any], key: str, now: datetime) -> Incoming | None:
    """None: the script only wants to know whether it is heard. Raises `Unreadable`."""
    if not (name := text(body.get("event"))):
        raise Unreadable("event is missing")
    if name == "ping":
        return None
    kind, _, action = name.partition(".")
    if kind not in tuple(_SPECS) or action not in tuple(Action):
        return Incoming(None, None, "", key, ignored="unknown-event")
    given = table(body.get(kind))
    return Incoming(
        Kind(kind),
        Action(action),
        required(body, kind, "id"),
        key,
        instant(body.get("occurred_at")),
        # Read as it was posted, by the site's clock, which is not ours.
        {**kept(given, _SPECS[Kind(kind)]), "read_at": now.isoformat()},
    )


def _order(payload: Mapping[str, Any]) -> OrderFacts:
    id_ = required(payload, "id")
    parcels = rows(payload.get("shipments"))
    return OrderFacts(
        id=id_,
        number=first(payload.get("account_number"), id_),
        codes=_codes(payload, parcels),
        lines=tuple(filter(None, map(_line, rows(payload.get("items"))))),
        customer=_buyer(payload),
        currency=text(payload.get("currency")),
        total=money(payload.get("price")),
        delivery=_delivery(payload, parcels),
        reason=text(payload.get("reason_canceled")),
        created_at=instant(payload.get("date_insert")),
        changed_at=instant(payload.get("read_at")),
    )


def _codes(
    payload: Mapping[str, Any], parcels: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], ...]:
    told = [required(payload, "status_id")]
    told += ["paid"] if yes(payload.get("payed")) else []
    told += ["canceled"] if yes(payload.get("canceled")) else []
    told += [f"shipment:{status}" for row in parcels if (status := text(row.get("status_id")))]
    # Deducted from stock is how a site says that a parcel has left; of several the last one counts.
    told += ["deducted"] if parcels and all(yes(row.get("deducted")) for row in parcels) else []
    return tuple((code,) for code in dict.fromkeys(told))


def _line(row: Mapping[str, Any]) -> LineFacts | None:
    id_, quantity = text(row.get("id")), number(row.get("quantity")) or Decimal(0)
    if not id_ or quantity <= 0:
        return None
    return LineFacts(
        id=id_,
        title=text(row.get("name")),
        quantity=quantity,
        sku=first(row.get("article"), row.get("xml_id")),
        price=money(row.get("price")),
        product=text(row.get("product_id")),
    )


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts:
    """Whoever buys is a user of the site, also one whom it made on the spot."""
    id_ = text(payload.get("user_id"))
    return CustomerFacts(
        id="" if id_ == "0" else id_,
        name=text(payload.get("name")),
        email=text(payload.get("email")),
        phone=text(payload.get("phone")),
    )


def _customer(payload: Mapping[str, Any]) -> CustomerFacts:
    names = (text(payload.get("name")), text(payload.get("last_name")))
    return CustomerFacts(
        id=required(payload, "id"),
        name=" ".join(filter(None, names)),
        email=text(payload.get("email")),
        phone=text(payload.get("phone")),
        locale=text(payload.get("language_id")),
        changed_at=instant(payload.get("read_at")),
        created_at=instant(payload.get("date_register")),
    )


def _delivery(payload: Mapping[str, Any], parcels: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of several parcels the first that has it; a parcel with a store is picked up there."""
    stores = [row for row in parcels if text(row.get("store_id")) not in ("", "0")]
    told = {
        "method": "pickup" if stores else "",
        "address": text(payload.get("address")),
        "carrier": first(*(row.get("delivery_name") for row in parcels)),
        "tracking": first(*(row.get("tracking_number") for row in parcels)),
    }
    return {name: value for name, value in told.items() if value}
