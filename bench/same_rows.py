"""The least code that leaves the rows behind that the product leaves, in its own tables and on the same servers.

It looks up who may be written to, writes an attempt before each call, and what came of it after. It asks nobody who he is,
checks nothing of what it is told, plans no second channel, limits, repeats and survives nothing, and knows of no other
shop, account and text than those of the benchmark.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import aiohttp
import asyncpg
import jinja2
import orjson
import uuid_utils.compat
import uvloop
from asyncpg import Record

from bench import plain
from bench.calls import WAYS, Providers, Way

# -- accepting ----------------------------------------------------------------------------------------------------------

# What speaks against writing to somebody, in the words of the product: the address `a`, the consent `k`, the wish `d`.
_WRONG = """
CASE WHEN a.value IS NULL THEN 'no_address'
     WHEN EXISTS (SELECT FROM suppression AS s WHERE s.shop_id = 1 AND s.digest = a.digest AND s.channel = d.channel)
     THEN 'suppressed'
     WHEN d.category = 'marketing' AND k.state IS NULL THEN 'no_consent'
     WHEN d.category = 'marketing' AND k.state <> 'subscribed' THEN 'unsubscribed'
END AS wrong
"""

_PEOPLE = f"""
SELECT c.id AS contact_id, a.id AS address_id, a.provider, {_WRONG},
       (SELECT array_agg(kind) FROM address WHERE contact_id = c.id) AS held
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS d (external_id, channel, category, nth)
  LEFT JOIN contact AS c ON c.shop_id = 1 AND c.external_id = d.external_id
  LEFT JOIN address AS a ON a.contact_id = c.id AND a.kind = d.channel AND a.verified
  LEFT JOIN consent AS k ON k.contact_id = c.id AND k.category = d.category AND k.channel = d.channel
 ORDER BY d.nth
"""

# Of a backlog PostgreSQL would rather sort all of it for each claim, and that gets slower the longer it is.
_SETTINGS = {
    "jit": "off",
    "enable_sort": "off",
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
}

_ADD = """
WITH t AS MATERIALIZED (
    SELECT *, coalesce(send_at, now()) AS due_at
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                  $9::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::interval[])
        AS t (id, contact_id, template, category, data, content, plan, skipped, send_at, address_id, channel, route,
              lasts)
), made AS (
    INSERT INTO notification (id, shop_id, contact_id, template, category, strategy, status, data, content, plan,
                              skipped, send_at)
    SELECT id, 1, contact_id, template, category, 'first',
           CASE WHEN address_id IS NULL THEN 'undeliverable' WHEN due_at > now() THEN 'scheduled' ELSE 'queued' END,
           data::jsonb, content::jsonb, plan::jsonb, skipped::jsonb, send_at
      FROM t
)
INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, due_at, handout_at,
                      give_up_at, route)
SELECT uuidv7(), 1, id, contact_id, address_id, channel, category, due_at, coalesce(send_at, now() + interval '15 s'),
       due_at + lasts, route
  FROM t WHERE address_id IS NOT NULL
"""

_CHANNELS = ("telegram", "vk", "max", "email", "sms", "push", "viber", "whatsapp")
_LASTS: Mapping[str, timedelta] = {
    "transactional": timedelta(hours=4),
    "marketing": timedelta(hours=24),
}


class _Asked(NamedTuple):
    """One item of a request: to a person that is known, by one channel."""

    external_id: str
    channel: str
    category: str
    item: Mapping[str, Any]


async def add(db: asyncpg.Pool, items: Sequence[Any]) -> list[UUID | None]:
    """The notifications' ids; None for somebody who is not known. One statement reads, one writes."""
    asked = [_asked(item) for item in items]
    people = await db.fetch(
        _PEOPLE,
        [a.external_id for a in asked],
        [a.channel for a in asked],
        [a.category for a in asked],
    )
    rows = [_row(a, p) for a, p in zip(asked, people, strict=True) if p["contact_id"]]
    if rows:
        await db.execute(_ADD, *zip(*rows, strict=True))
    ids = iter(rows)
    return [next(ids)[0] if p["contact_id"] else None for p in people]


def _asked(item: Any) -> _Asked:
    channels = item.get("channels")
    # The shop's one template is a letter for marketing.
    channel = channels[0] if channels else "email"
    return _Asked(
        item["recipient"]["external_id"], channel, item.get("category", "marketing"), item
    )


def _row(asked: _Asked, person: Record) -> tuple[Any, ...]:
    """As `_ADD` takes it."""
    item, channel = asked.item, asked.channel
    content, send_at = item.get("content"), item.get("send_at")
    address = None if person["wrong"] else person["address_id"]
    plan = "[]"
    if address:
        plan = f'[{{"channel":"{channel}","addresses":["{address}"],"until":null,"wait":null,"patience":null}}]'
    return (
        uuid_utils.compat.uuid7(),
        person["contact_id"],
        item.get("template"),
        asked.category,
        orjson.dumps(item.get("data", {})).decode(),
        content and orjson.dumps({"subject": "", "text": "", "html": ""} | content).decode(),
        plan,
        _skipped(channel, "channels" in item, person["wrong"], frozenset(person["held"] or ())),
        send_at and datetime.fromisoformat(send_at),
        address,
        channel,
        f"{channel}/{channel}/{person['provider'] or ''}/last",
        _LASTS[asked.category],
    )


@cache
def _skipped(channel: str, named: bool, wrong: str | None, held: frozenset[str]) -> str:
    """Why not the other channels: JSON. `named`: the request names the one; else it is the only one with a text."""
    found = []
    for other in dict.fromkeys((channel, *_CHANNELS) if named else _CHANNELS):
        if other not in held:
            reason: str | None = "no_address"
        elif other == channel:
            reason = wrong
        else:
            reason = "not_requested" if named else "no_template"
        if reason:
            found.append({"channel": other, "reason": reason})
    return orjson.dumps(found).decode()


# -- what providers say -------------------------------------------------------------------------------------------------

_TOLD = """
WITH t AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS t (id, provider_id, status, at)
), written AS (
    INSERT INTO receipt (id, shop_id, delivery_id, account, provider_id, status, happened_at)
    SELECT uuidv7(), 1, id, 'mail', provider_id, status, at FROM t
), moved AS (
    UPDATE delivery AS d
       SET status = 'delivered', delivered_at = t.at, reason = NULL, code = NULL, leased_until = NULL,
           leased_by = NULL, updated_at = now()
      FROM t WHERE d.id = t.id AND d.id = ANY($1) AND t.status = 'delivered' AND d.status IN ('sending', 'sent')
    RETURNING d.notification_id
)
UPDATE notification SET status = 'delivered'
 WHERE id = ANY((SELECT array_agg(notification_id) FROM moved)::uuid[])
"""


async def told(db: asyncpg.Pool, events: Sequence[Any]) -> None:
    """One statement, and so one transaction."""
    keys = [event["metadata"]["delivery"] for event in events]
    await db.execute(
        _TOLD,
        [UUID(key) for key in keys],
        [f"{event['job_id']}:{key}" for event, key in zip(events, keys, strict=True)],
        [event["status"] for event in events],
        [datetime.fromisoformat(event["event_time"]).replace(tzinfo=UTC) for event in events],
    )


async def serve(database: str) -> None:
    """Accepts notifications and receipts; prints its port."""
    db = await asyncpg.create_pool(database, min_size=10, max_size=10, server_settings=_SETTINGS)
    await plain.serve(lambda items: add(db, items), lambda events: told(db, events))


# -- sending ------------------------------------------------------------------------------------------------------------

_CLAIM = f"""
WITH due AS (
    SELECT id FROM delivery
     WHERE shop_id = 1 AND category = 'marketing' AND route = $2 AND status = 'queued' AND handout_at <= now()
     ORDER BY shop_id, category, route, handout_at LIMIT 500
       FOR UPDATE SKIP LOCKED
), d AS (
    UPDATE delivery SET status = 'sending', leased_until = now() + interval '30 s', leased_by = $1, updated_at = now()
     WHERE id = ANY((SELECT array_agg(id) FROM due)::uuid[])
    RETURNING *
)
SELECT d.id, n.template, n.data, n.content, a.value, c.name, c.external_id, c.attributes, {_WRONG}
  FROM d
  JOIN notification AS n ON n.id = d.notification_id
  JOIN contact AS c ON c.id = d.contact_id
  LEFT JOIN address AS a ON a.id = d.address_id
  LEFT JOIN consent AS k ON k.contact_id = d.contact_id AND k.category = d.category AND k.channel = d.channel
"""

_BEGIN = """
INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider, batch_key, call_id, call_size)
SELECT uuidv7(), 1, t.id, 0, $2, $3, $4, $5::uuid, CASE WHEN $5 IS NOT NULL THEN cardinality($1) END
  FROM unnest($1::uuid[]) AS t (id)
"""

_SENT = """
WITH moved AS (
    UPDATE delivery AS d
       SET status = 'sent', provider_id = t.provider_id, attempt_count = 1, account = $3, provider = $4,
           sent_at = now(), leased_until = NULL, leased_by = NULL, updated_at = now()
      FROM unnest($1::uuid[], $2::text[]) AS t (id, provider_id) WHERE d.id = t.id AND d.id = ANY($1)
    RETURNING d.notification_id
)
UPDATE notification SET status = 'sent' WHERE id = ANY((SELECT array_agg(notification_id) FROM moved)::uuid[])
"""

_LEFT_OUT = """
WITH moved AS (
    UPDATE delivery AS d
       SET status = CASE WHEN t.wrong = 'no_address' THEN 'failed' ELSE 'suppressed' END, reason = t.wrong,
           leased_until = NULL, leased_by = NULL, updated_at = now()
      FROM unnest($1::uuid[], $2::text[]) AS t (id, wrong) WHERE d.id = t.id AND d.id = ANY($1)
    RETURNING d.notification_id, d.status
)
UPDATE notification AS n SET status = CASE WHEN moved.status = 'failed' THEN 'failed' ELSE 'undeliverable' END
  FROM moved WHERE n.id = moved.notification_id
"""

_LOOPS = 2
"""In one process: one has something to do while the other waits for the disk."""
_NOTHING_DUE = 0.02


@dataclass(slots=True)
class Sender:
    """`claims`: a connection whose commits do not wait for the disk, as of a claim the product's do not either."""

    way: Way
    db: asyncpg.Connection
    claims: asyncpg.Connection
    providers: Providers

    async def run(self) -> None:
        """Until it is killed."""
        while True:
            if not await self.some():
                await asyncio.sleep(_NOTHING_DUE)

    async def some(self) -> int:
        """What is due, 500 of them; how many there were."""
        batch = uuid_utils.compat.uuid7()
        way = self.way
        rows = await self.claims.fetch(_CLAIM, batch, f"{way.channel}/{way.channel}//last")
        good = [row for row in rows if not row["wrong"]]
        if good:
            ids = [row["id"] for row in good]
            call = batch if way.whole else None
            await self.db.execute(_BEGIN, ids, way.account, way.provider, batch, call)
            names = await way.calls(self.providers, good)
            await self.db.execute(_SENT, ids, names, way.account, way.provider)
        if bad := [row for row in rows if row["wrong"]]:
            words = [row["wrong"] for row in bad]
            await self.db.execute(_LEFT_OUT, [row["id"] for row in bad], words)
        return len(rows)


async def sender(way: Way, database: str, session: aiohttp.ClientSession) -> Sender:
    """With the shop's one template as it stands in the database."""
    db = await asyncpg.connect(database, server_settings=_SETTINGS)
    claims = await asyncpg.connect(
        database, server_settings=_SETTINGS | {"synchronous_commit": "off"}
    )
    [text] = await db.fetch("SELECT subject, html FROM template_version ORDER BY id DESC LIMIT 1")
    subject, letter = jinja2.Template(text["subject"]), plain.template(text["html"])
    return Sender(way, db, claims, Providers(session, subject, letter))


async def send(way: str, database: str, sink: str) -> None:
    """Whatever becomes due, until it is killed."""
    async with plain.client(sink) as session:
        senders = [await sender(WAYS[way], database, session) for _ in range(_LOOPS)]
        print("ready", flush=True)
        await asyncio.gather(*(one.run() for one in senders))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("serve", *WAYS))
    parser.add_argument("--database", required=True)
    parser.add_argument("--sink", default="")
    given = parser.parse_args()
    if given.what == "serve":
        uvloop.run(serve(given.database))
    else:
        uvloop.run(send(given.what, given.database, given.sink))


if __name__ == "__main__":
    main()
