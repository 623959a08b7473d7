"""Notifications as somebody at a desk looks for them: by whom they are about, and by what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.contacts import finding
from hub.db.partitions import first_id
from hub.db.pool import Db
from hub.notifications.listed import FEW, OF_STATUS
from hub.notifications.model import NotificationStatus

_FIRST_LOOK = 1000
_WIDEST_LOOK = 16_000
"""Notifications that one statement looks at for what no index tells."""

_PATIENCE = timedelta(milliseconds=80)
"""After which no wider look is taken: what was not reached is offered as the page that follows."""

_MOST_PEOPLE = 100


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for. `people` and `order`: who it is for, or the number of the order that it is about; both empty:
    whatever there is. `since` and `until`: when it was accepted."""

    people: tuple[UUID, ...] = ()
    order: str = ""
    status: NotificationStatus | None = None
    channel: Channel | None = None
    template: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`rows`: the newest first. `before`: where the search goes on; None: that was all. `looked_until`: how far it came
    where it found less than a page and gave up for now."""

    rows: Sequence[Mapping[str, Any]]
    before: UUID | None
    looked_until: datetime | None = None


async def meant(db: Db, shop_id: int, text: str) -> Sought | None:
    """Whom or which order somebody means by these words; None: nobody, and no order."""
    number = await db.fetchval(
        "SELECT number FROM shop_order WHERE shop_id = $1 AND external_id = $2", shop_id, text
    )
    number = number or text
    known = await db.fetchval(f"SELECT EXISTS ({_OF_ORDER.format('$2')})", shop_id, number)
    people = await finding.ids_of(db, shop_id, text, limit=_MOST_PEOPLE)
    if not known and not people:
        return None
    return Sought(people=tuple(people), order=number if known else "")


async def search(
    db: Db, shop_id: int, sought: Sought, *, before: UUID | None = None, limit: int = 50
) -> Found:
    """A page of what fits. Where hardly anything does, it stops after a while and says how far it has come: nobody waits
    for all of a million to be looked through."""
    ids: list[UUID] = []
    size, deadline = _FIRST_LOOK, monotonic() + _PATIENCE.total_seconds()
    while True:
        look = await _look(db, shop_id, sought, before, size, limit - len(ids) + 1)
        ids += look["ids"]
        if len(ids) > limit:
            return Found(await rows(db, shop_id, ids[:limit]), ids[limit - 1])
        if look["seen"] < size:
            return Found(await rows(db, shop_id, ids), None)
        before = look["last"]
        if monotonic() > deadline:
            at = await db.fetchval(
                "SELECT created_at FROM notification WHERE shop_id = $1 AND id = $2",
                shop_id,
                before,
            )
            return Found(await rows(db, shop_id, ids), before, looked_until=at)
        size = min(size * 4, _WIDEST_LOOK)


_OF_ORDER = (
    "SELECT FROM notification AS n WHERE n.shop_id = $1 AND (n.data #>> '{{order,number}}') = {}"
)
_KEPT = "n.id, n.template, n.status"
# Each finds its own by an index, the newest first; how they stand side by side does not matter.
_OF_ALL = (
    "SELECT {kept} FROM notification AS n WHERE n.shop_id = $1 {more} ORDER BY n.id DESC LIMIT $2"
)
_OF_PEOPLE = """
SELECT x.* FROM unnest({people}::uuid[]) AS who (id)
 CROSS JOIN LATERAL (
       SELECT {kept} FROM notification AS n WHERE n.contact_id = who.id AND n.shop_id = $1 {more}
        ORDER BY n.id DESC LIMIT $2) AS x
"""
_ABOUT = """
(SELECT {kept} FROM notification AS n
  WHERE n.shop_id = $1 AND (n.data #>> '{{order,number}}') = {order} {more}
  ORDER BY n.id DESC LIMIT $2)
"""


async def _look(
    db: Db, shop_id: int, sought: Sought, before: UUID | None, size: int, limit: int
) -> Mapping[str, Any]:
    arguments: list[Any] = [shop_id, size, limit]

    def given(value: Any) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    more = [f"AND n.id < {given(before)}"] if before else []
    # Ids follow the time, and partitions the ids.
    more += [f"AND n.id >= {given(first_id(sought.since))}"] if sought.since else []
    more += [f"AND n.id < {given(first_id(sought.until))}"] if sought.until else []
    more += [f"AND {OF_STATUS[sought.status]}"] if sought.status in FEW else []
    source = _source(sought, " ".join(more), given)
    fits = ["true"]
    fits += [f"s.template = {given(sought.template)}"] if sought.template else []
    fits += [f"s.status = {given(sought.status)}"] if sought.status else []
    if sought.channel:
        fits.append(
            "EXISTS (SELECT FROM delivery AS d"
            f" WHERE d.notification_id = s.id AND d.channel = {given(sought.channel)})"
        )
    row = await db.fetchrow(
        f"""
        WITH seen AS MATERIALIZED ({source}), fits AS (
            SELECT s.id FROM seen AS s WHERE {" AND ".join(fits)} ORDER BY s.id DESC LIMIT $3
        )
        SELECT ARRAY(SELECT id FROM fits ORDER BY id DESC) AS ids, (SELECT count(*) FROM seen) AS seen,
               (SELECT id FROM seen ORDER BY id LIMIT 1) AS last
        """,  # noqa: S608 (fixed pieces)
        *arguments,
    )
    assert row is not None  # noqa: S101
    return dict(row)


def _source(sought: Sought, more: str, given: Any) -> str:
    if not sought.people and not sought.order:
        return _OF_ALL.format(kept=_KEPT, more=more)
    parts = []
    if sought.people:
        parts.append(_OF_PEOPLE.format(kept=_KEPT, people=given(list(sought.people)), more=more))
    if sought.order:
        parts.append(_ABOUT.format(kept=_KEPT, order=given(sought.order), more=more))
    both = " UNION ".join(parts)
    return f"SELECT * FROM ({both}) AS either ORDER BY id DESC LIMIT $2"  # noqa: S608


async def rows(db: Db, shop_id: int, ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
    """What a list shows of each, the newest first: `ways` are its deliveries, [channel, status] in their order."""
    if not ids:
        return []
    found = await db.fetch(
        """
        SELECT n.id, n.template, n.category, n.status, n.created_at, n.held_until, n.interaction,
               n.data #>> '{order,number}' AS number,
               left(coalesce(nullif(n.content ->> 'subject', ''), n.content ->> 'text'), 100) AS words,
               c.id AS contact_id, c.external_id, c.name, c.role,
               (SELECT jsonb_build_array(a.kind, a.value) FROM address AS a
                 WHERE a.contact_id = c.id AND c.external_id IS NULL LIMIT 1) AS address,
               (SELECT coalesce(jsonb_agg(jsonb_build_array(d.channel, d.status) ORDER BY d.step, d.id), '[]')
                  FROM delivery AS d WHERE d.notification_id = n.id) AS ways
          FROM notification AS n LEFT JOIN contact AS c ON c.id = n.contact_id
         WHERE n.shop_id = $1 AND n.id = ANY($2)
         ORDER BY n.id DESC
        """,
        shop_id,
        list(ids),
    )
    return [dict(row) for row in found]


async def about(db: Db, shop_id: int, id_: UUID) -> Mapping[str, Any] | None:
    """What `storage.by_id` does not show of a notification: whom it is for, and what it was made from. `again`: the ids
    of those that say the same once more, as far as they are among the person's next few hundred."""
    row = await db.fetchrow(
        """
        SELECT n.contact_id, n.data, n.content, n.interaction, n.locale, n.step_at, n.data #>> '{order,number}' AS number,
               c.name, c.role, c.external_id,
               (SELECT jsonb_build_array(a.kind, a.value) FROM address AS a
                 WHERE a.contact_id = c.id AND c.external_id IS NULL LIMIT 1) AS address,
               ARRAY(SELECT id FROM (SELECT x.id, x.meta FROM notification AS x
                                      WHERE x.contact_id = n.contact_id AND x.id > n.id
                                      ORDER BY x.id LIMIT 300) AS later
                      WHERE later.meta ->> 'again_of' = n.id::text) AS again,
               (SELECT jsonb_object_agg(d.id, jsonb_build_object('due_at', d.due_at, 'give_up_at', d.give_up_at,
                                                                'updated_at', d.updated_at))
                  FROM delivery AS d WHERE d.notification_id = n.id) AS deliveries
          FROM notification AS n LEFT JOIN contact AS c ON c.id = n.contact_id
         WHERE n.shop_id = $1 AND n.id = $2
        """,
        shop_id,
        id_,
    )
    return dict(row) if row else None
