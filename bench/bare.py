"""The same work by the least code possible, on the same PostgreSQL and sink: what the figures are held against first.

None of it plans, checks, limits, repeats or survives anything, or writes more than one row of its own.
"""

import argparse
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import jinja2
import orjson
import uuid_utils.compat
import uvloop

from bench import plain

SCHEMA = """
CREATE TABLE IF NOT EXISTS bare_message (
    id uuid PRIMARY KEY, person text NOT NULL, body jsonb, status text NOT NULL DEFAULT 'queued',
    provider_id text, sent_at timestamptz, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS bare_message_queued ON bare_message (id) WHERE status = 'queued';
"""
FILL = """
INSERT INTO bare_message (id, person, body)
SELECT uuidv7(), 'buyer-' || 1 + n % 20000,
       jsonb_build_object('email', 'buyer-' || 1 + n % 20000 || '@example.com', 'name', 'Покупатель ' || n,
                          'external_id', 'buyer-' || n, 'city', 'Томск-' || n % 300, 'points', n % 5000)
  FROM generate_series(1, $1::int) AS n
"""
_ADD = "INSERT INTO bare_message (id, person, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[])"
_CLAIM = """
UPDATE bare_message SET status = 'sending'
 WHERE id = ANY(ARRAY(SELECT id FROM bare_message WHERE status = 'queued' ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED))
RETURNING id, body
"""
_SENT = """
UPDATE bare_message AS m SET status = 'sent', provider_id = t.provider_id, sent_at = now()
  FROM unnest($1::uuid[], $2::text[]) AS t (id, provider_id) WHERE m.id = t.id
"""


async def serve(database: str) -> None:
    """Accepts notifications and receipts; prints its port."""
    pool = await asyncpg.create_pool(database, min_size=10, max_size=10)

    async def add(items: list[Any]) -> list[UUID]:
        ids = [uuid_utils.compat.uuid7() for _ in items]
        people = [item["recipient"].get("external_id", "") for item in items]
        await pool.execute(_ADD, ids, people, [orjson.dumps(item).decode() for item in items])
        return ids

    async def told(events: list[Any]) -> None:
        ids = [UUID(event["metadata"]["delivery"]) for event in events]
        await pool.execute("UPDATE bare_message SET status = 'delivered' WHERE id = ANY($1)", ids)

    await plain.serve(add, told)


async def send(way: str, database: str, sink: str) -> None:
    """Empties the table by one process: `rendered` and `merged` letters 500 a call, `single` messages one a call."""
    db = await asyncpg.connect(database)
    letter = plain.template(plain.LETTER)
    async with plain.client(sink) as session:
        print("ready", flush=True)
        while rows := await db.fetch(_CLAIM):
            found = [(row["id"], orjson.loads(row["body"])) for row in rows]
            if way == "single":
                sent = await _one_by_one(session, found)
            else:
                sent = await _letters(session, found, None if way == "merged" else letter)
            await db.execute(_SENT, list(sent), list(sent.values()))
    await db.close()


async def _letters(
    session: aiohttp.ClientSession, found: list[tuple[UUID, Any]], letter: jinja2.Template | None
) -> dict[UUID, str]:
    to = []
    for id_, person in found:
        if letter:
            contact = {**person, "attributes": person}
            places = {"html": letter.render(plain.said(id_, contact, {"until": plain.UNTIL}))}
        else:
            places = {name: str(person[name]) for name in ("name", "city", "points")}
        to.append(plain.letter(id_, person["email"], places))
    job = await plain.letters(session, to, {"html": "{{html}}" if letter else plain.LETTER})
    return {id_: job for id_, _ in found}


async def _one_by_one(
    session: aiohttp.ClientSession, found: list[tuple[UUID, Any]]
) -> dict[UUID, str]:
    sent: dict[UUID, str] = {}

    async def one(message: tuple[UUID, Any]) -> None:
        id_, person = message
        form = {"chat_id": 1, "text": f"Здравствуйте, {person['name']}!"}
        answer = await plain.call(session, "/bot1:x/sendMessage", form)
        sent[id_] = str(answer["result"]["message_id"])

    await plain.each(found, one)
    return sent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("serve", "rendered", "merged", "single"))
    parser.add_argument("--database", default="")
    parser.add_argument("--sink", default="")
    given = parser.parse_args()
    match given.what:
        case "serve":
            uvloop.run(serve(given.database))
        case way:
            uvloop.run(send(way, given.database, given.sink))


if __name__ == "__main__":
    main()
