"""The same work by the least code possible, on the same PostgreSQL, Redis and sink: what the figures are held against.

None of it plans, checks, limits, repeats or survives anything.
"""

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import asyncpg
import jinja2
import orjson
import uuid_utils.compat
import uvloop
from aiohttp import web
from arq import create_pool, run_worker
from arq.connections import RedisSettings

from bench.sink import MARK

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
_AT_ONCE = 50
_QUEUE = "bare"


async def serve(database: str) -> None:
    """Accepts as `POST /v1/notifications`, `…/batch` and receipts as Unisender Go sends them; prints its port."""
    pool = await asyncpg.create_pool(database, min_size=10, max_size=10)

    async def add(items: list[Any]) -> list[UUID]:
        ids = [uuid_utils.compat.uuid7() for _ in items]
        people = [item["recipient"].get("external_id", "") for item in items]
        await pool.execute(_ADD, ids, people, [orjson.dumps(item).decode() for item in items])
        return ids

    async def one(request: web.Request) -> web.Response:
        [id_] = await add([orjson.loads(await request.read())])
        return web.Response(
            body=orjson.dumps({"id": id_}), status=202, content_type="application/json"
        )

    async def many(request: web.Request) -> web.Response:
        ids = await add(orjson.loads(await request.read())["notifications"])
        results = [{"id": id_} for id_ in ids]
        return web.Response(body=orjson.dumps(results), status=202, content_type="application/json")

    async def receipts(request: web.Request) -> web.Response:
        told = orjson.loads(await request.read())
        ids = [
            UUID(event["event_data"]["metadata"]["delivery"])
            for user in told["events_by_user"]
            for event in user["events"]
        ]
        await pool.execute("UPDATE bare_message SET status = 'delivered' WHERE id = ANY($1)", ids)
        return web.Response()

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/notifications", one)
    app.router.add_post("/v1/notifications/batch", many)
    app.router.add_post("/receipts", receipts)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def send(way: str, database: str, sink: str) -> None:
    """Empties the table by one process: `rendered` and `merged` letters 500 a call, `single` messages one a call."""
    db = await asyncpg.connect(database)
    source = Path(__file__).with_name("letter.html").read_text()
    letter = jinja2.Environment(autoescape=True).from_string(source)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(sink, connector=connector) as session:
        print("ready", flush=True)
        while rows := await db.fetch(_CLAIM):
            found = [(row["id"], orjson.loads(row["body"])) for row in rows]
            if way == "single":
                sent = await _one_by_one(session, found)
            else:
                sent = await _letters(session, found, None if way == "merged" else letter, source)
            await db.execute(_SENT, list(sent), list(sent.values()))
    await db.close()


async def _letters(
    session: aiohttp.ClientSession,
    found: list[tuple[UUID, Any]],
    letter: jinja2.Template | None,
    source: str,
) -> dict[UUID, str]:
    recipients = []
    for id_, person in found:
        places = {"name": person["name"], "city": person["city"], "points": str(person["points"])}
        if letter:
            filled = letter.render(
                contact={**person, "attributes": person},
                shop={"name": "Bench"},
                until="1 мая",
                links={"unsubscribe": f"https://x/u/{id_}", "preferences": f"https://x/p/{id_}"},
            )
            places = {"html": filled}
        recipients.append(
            {
                "email": person["email"],
                "metadata": {"delivery": str(id_)},
                "substitutions": places,
            }
        )
    body = {"recipients": recipients, "body": {"html": "{{html}}" if letter else source}}
    data = orjson.dumps({"message": body})
    async with session.post("/email/send.json", data=data) as answer:
        job = orjson.loads(await answer.read())["job_id"]
    return {id_: job for id_, _ in found}


async def _one_by_one(
    session: aiohttp.ClientSession, found: list[tuple[UUID, Any]]
) -> dict[UUID, str]:
    waiting, sent = iter(found), {}

    async def caller() -> None:
        for id_, person in waiting:
            form = {"chat_id": 1, "text": f"Здравствуйте, {person['name']}!"}
            async with session.post("/bot1:x/sendMessage", data=orjson.dumps(form)) as answer:
                sent[id_] = str(orjson.loads(await answer.read())["result"]["message_id"])

    await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
    return sent


def _redis(url: str) -> RedisSettings:
    parts = urlsplit(url)
    return RedisSettings(parts.hostname or "", parts.port or 0, password=parts.password)


async def _job(ctx: dict[str, Any], text: str) -> None:
    form = {"chat_id": 1, "text": text}
    async with ctx["session"].post("/bot1:x/sendMessage", json=form) as answer:
        await answer.read()


def work(redis: str, sink: str) -> None:
    """A plain arq worker: one job a message."""

    async def begin(ctx: dict[str, Any]) -> None:
        ctx["session"] = aiohttp.ClientSession(sink)
        print("ready", flush=True)

    async def end(ctx: dict[str, Any]) -> None:
        await ctx["session"].close()

    settings = {
        "functions": [_job],
        "redis_settings": _redis(redis),
        "on_startup": begin,
        "on_shutdown": end,
        "queue_name": _QUEUE,
        "max_jobs": 100,
        "poll_delay": 0.02,
        "keep_result": 0,
    }
    run_worker(settings)


async def enqueue(redis: str, *, rate: int, seconds: int) -> dict[str, float]:
    """A job a message at a steady rate: text and when it was there."""
    queue = await create_pool(_redis(redis), default_queue_name=_QUEUE)
    accepted: dict[str, float] = {}

    async def one(text: str) -> None:
        await queue.enqueue_job(_job.__name__, text)
        accepted[text] = time.time()

    started, tasks = time.perf_counter(), []
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(f"{MARK}arq-{number}")))
    await asyncio.gather(*tasks)
    await queue.aclose()
    return accepted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("serve", "work", "rendered", "merged", "single"))
    parser.add_argument("--database", default="")
    parser.add_argument("--redis", default="")
    parser.add_argument("--sink", default="")
    given = parser.parse_args()
    match given.what:
        case "serve":
            uvloop.run(serve(given.database))
        case "work":
            work(given.redis, given.sink)
        case way:
            uvloop.run(send(way, given.database, given.sink))


if __name__ == "__main__":
    main()
