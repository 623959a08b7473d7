"""What the plan has to know of people, read in one statement for many of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from channels.base import Category, Channel
from hub.config import QuietHours
from hub.db.pool import Db
from hub.notifications.model import AddressFacts, ContactFacts

# Arrays and not JSON: PostgreSQL makes them, and we read them, in half the time. In the order in which `_facts` takes
# them.
_FACTS = """
SELECT c.id, c.external_id, c.role, c.name, c.locale, c.timezone, c.preferences, c.attributes, a.*, k.*
  FROM contact AS c
  LEFT JOIN LATERAL (
       SELECT array_agg(held.id) AS addresses, array_agg(held.kind) AS kinds, array_agg(held.value) AS values,
              array_agg(held.provider) AS providers, array_agg(held.verified) AS verified,
              array_agg((SELECT string_agg(s.channel, ',') FROM suppression AS s
                          WHERE s.shop_id = held.shop_id AND s.digest = held.digest)) AS suppressed
         FROM (SELECT * FROM address WHERE contact_id = c.id ORDER BY created_at, id) AS held) AS a ON true
  LEFT JOIN LATERAL (
       SELECT array_agg(category) AS categories, array_agg(channel) AS channels, array_agg(state) AS states
         FROM consent WHERE contact_id = c.id) AS k ON true
"""
_NOWHERE: frozenset[str] = frozenset()


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
    raw: Mapping[str, Any],
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
    id_, external_id, role, name, locale, timezone, wishes, attributes, *more = row
    *addresses, suppressed, categories, channels, states = more
    preferences, quiet_hours = preferences_of(wishes)
    return ContactFacts(
        id=id_,
        external_id=external_id,
        role=role,
        name=name,
        locale=locale,
        timezone=timezone,
        attributes=attributes,
        preferences=preferences,
        quiet_hours=quiet_hours,
        consents=_consents(categories, channels, states) if states else {},
        addresses=tuple(map(AddressFacts, *addresses, map(_channels, suppressed)))
        if suppressed
        else (),
    )


def _consents(
    categories: Sequence[str], channels: Sequence[str], states: Sequence[str]
) -> Mapping[tuple[str, str], str]:
    return dict(zip(zip(categories, channels, strict=True), states, strict=True))


def _channels(listed: str | None) -> frozenset[str]:
    return frozenset(listed.split(",")) if listed else _NOWHERE
