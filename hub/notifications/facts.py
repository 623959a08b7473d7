"""What the plan has to know of people, read in one statement for many of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from channels.base import Category, Channel
from hub.config import QuietHours
from hub.db.pool import Db
from hub.notifications.model import AddressFacts, ContactFacts

_FACTS = """
SELECT c.id, c.external_id, c.role, c.name, c.locale, c.timezone, c.preferences, c.attributes,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', a.id, 'kind', a.kind, 'value', a.value, 'provider', a.provider,
                   'verified', a.verified,
                   'suppressed', (SELECT coalesce(jsonb_agg(s.channel), '[]') FROM suppression AS s
                                   WHERE s.shop_id = a.shop_id AND s.digest = a.digest))
                   ORDER BY a.created_at, a.id), '[]')
          FROM address AS a WHERE a.contact_id = c.id) AS addresses,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(k.category, k.channel, k.state)), '[]')
          FROM consent AS k WHERE k.contact_id = c.id) AS consents
  FROM contact AS c
"""


async def by_external_id(
    db: Db, shop_id: int, external_ids: Sequence[str]
) -> Mapping[str, ContactFacts]:
    """Those that exist, by the shop's own id."""
    rows = await db.fetch(
        f"{_FACTS} WHERE c.shop_id = $1 AND c.external_id = ANY($2)", shop_id, external_ids
    )
    return {r["external_id"]: _facts(dict(r)) for r in rows}


async def by_id(db: Db, ids: Sequence[UUID]) -> Mapping[UUID, ContactFacts]:
    rows = await db.fetch(f"{_FACTS} WHERE c.id = ANY($1)", ids)
    return {r["id"]: _facts(dict(r)) for r in rows}


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


def _facts(row: Mapping[str, Any]) -> ContactFacts:
    preferences, quiet_hours = preferences_of(row["preferences"])
    return ContactFacts(
        id=row["id"],
        external_id=row["external_id"],
        role=row["role"],
        name=row["name"],
        locale=row["locale"],
        timezone=row["timezone"],
        attributes=row["attributes"],
        preferences=preferences,
        quiet_hours=quiet_hours,
        consents={(category, channel): state for category, channel, state in row["consents"]},
        addresses=tuple(
            AddressFacts(
                id=UUID(a["id"]),
                kind=a["kind"],
                value=a["value"],
                provider=a["provider"],
                verified=a["verified"],
                suppressed=frozenset(a["suppressed"]),
            )
            for a in row["addresses"]
        ),
    )
