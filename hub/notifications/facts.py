"""What the plan has to know of people, read in one statement for many of them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from channels.base import Category, Channel
from hub.config import QuietHours
from hub.db.pool import Db
from hub.notifications.model import Addresses, ContactFacts, Form

# In the order in which `_facts` takes them. What many have in common is one text, which is read once; the rest are arrays
# and not JSON: PostgreSQL makes them, and we read them, in half the time.
_FACTS = """
SELECT c.id, c.external_id, c.role, c.name, c.locale, c.timezone, nullif(c.preferences, '{}'), c.attributes, a.*, k.*
  FROM contact AS c
  LEFT JOIN LATERAL (
       SELECT array_agg(held.id) AS ids, array_agg(held.value) AS values,
              string_agg(concat_ws('/', held.kind, coalesce(held.provider, ''), held.verified,
                                   (SELECT string_agg(s.channel, ',') FROM suppression AS s
                                     WHERE s.shop_id = held.shop_id AND s.digest = held.digest)), ' ') AS forms
         FROM (SELECT * FROM address WHERE contact_id = c.id ORDER BY created_at, id) AS held) AS a ON true
  LEFT JOIN LATERAL (
       SELECT string_agg(concat_ws('/', category, channel, state), ' ') AS said
         FROM (SELECT * FROM consent WHERE contact_id = c.id ORDER BY category, channel) AS each) AS k ON true
"""


async def by_external_id(
    db: Db, shop_id: int, external_ids: Sequence[str]
) -> Mapping[str, ContactFacts]:
    """Those that exist, by the shop's own id."""
    rows = await db.fetch(
        f"{_FACTS} WHERE c.shop_id = $1 AND c.external_id = ANY($2)", shop_id, external_ids
    )
    return {r["external_id"]: _facts(r) for r in rows}


async def by_id(db: Db, ids: Sequence[UUID]) -> Mapping[UUID, ContactFacts]:
    rows = await db.fetch(f"{_FACTS} WHERE c.id = ANY($1)", ids)
    return {r["id"]: _facts(r) for r in rows}


def preferences_of(
    raw: Mapping[str, Any] | None,
) -> tuple[Mapping[Category, tuple[Channel, ...]], QuietHours | None]:
    """A contact's stored preferences: channels per category where named, and quiet hours."""
    if not raw:
        return {}, None
    channels = {
        Category(name): tuple(Channel(c) for c in value)
        for name, value in raw.items()
        if name in _CATEGORIES and value is not None
    }
    quiet = raw.get("quiet_hours")
    return channels, QuietHours.model_validate(quiet) if quiet else None


_CATEGORIES = frozenset(Category)


def _facts(row: Any) -> ContactFacts:
    # Unpacked at once: by their names it takes three times as long.
    id_, external_id, role, name, locale, zone, wishes, attributes, ids, values, forms, said = row
    preferences, quiet_hours = preferences_of(wishes)
    return ContactFacts(
        id_,
        external_id,
        role,
        name,
        locale,
        zone,
        attributes,
        preferences,
        quiet_hours,
        _consents(said) if said else {},
        Addresses(ids, values, _forms(forms)) if ids else Addresses(),
    )


@lru_cache(maxsize=4096)
def _consents(said: str) -> Mapping[tuple[str, str], str]:
    """`marketing/email/subscribed marketing/sms/unsubscribed`"""
    each = [one.split("/") for one in said.split(" ")]
    return MappingProxyType({(category, channel): state for category, channel, state in each})


@lru_cache(maxsize=4096)
def _forms(text: str) -> tuple[Form, ...]:
    """`email//t push/fcm/t/push,email`: as `Form`, each."""
    return tuple(_form(*one.split("/")) for one in text.split(" "))


def _form(kind: str, provider: str, verified: str, suppressed: str = "") -> Form:
    channels = frozenset(suppressed.split(",")) if suppressed else frozenset[str]()
    return Form(kind, provider or None, verified == "t", channels)
