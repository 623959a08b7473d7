"""What the plain code of the comparisons is made of: a server that checks nothing, and calls as simple as they can be."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import jinja2
import orjson
from aiohttp import web

T = TypeVar("T")

LETTER = Path(__file__).with_name("letter.html").read_text()
UNTIL = "1 мая"
"""What a campaign's letter says beside what is known of its reader."""

_AT_ONCE = 50


async def serve(
    add: Callable[[list[Any]], Awaitable[Sequence[UUID | None]]],
    told: Callable[[list[Any]], Awaitable[None]],
) -> None:
    """Takes `POST /v1/notifications`, `…/batch` and receipts as Unisender Go sends them; prints its port."""

    async def one(request: web.Request) -> web.Response:
        [id_] = await add([orjson.loads(await request.read())])
        return _accepted({"id": id_})

    async def many(request: web.Request) -> web.Response:
        ids = await add(orjson.loads(await request.read())["notifications"])
        return _accepted([{"id": id_} for id_ in ids])

    async def receipts(request: web.Request) -> web.Response:
        said = orjson.loads(await request.read())
        await told([e["event_data"] for user in said["events_by_user"] for e in user["events"]])
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


def _accepted(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=202, content_type="application/json")


def client(sink: str) -> aiohttp.ClientSession:
    """As many connections as there are calls."""
    return aiohttp.ClientSession(sink, connector=aiohttp.TCPConnector(limit=0))


async def call(session: aiohttp.ClientSession, path: str, form: Any) -> Any:
    """JSON there and back; a mapping that is to travel as a form is given as `aiohttp.FormData`."""
    data = form if isinstance(form, aiohttp.FormData) else orjson.dumps(form)
    async with session.post(path, data=data) as answer:
        return orjson.loads(await answer.read())


async def each(items: Iterable[T], one: Callable[[T], Awaitable[None]]) -> None:
    """`one` of each, so many at once as a worker has calls under way."""
    waiting = iter(items)

    async def caller() -> None:
        for item in waiting:
            await one(item)

    await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))


def template(source: str) -> jinja2.Template:
    return jinja2.Environment(autoescape=True).from_string(source)


def said(id_: UUID, contact: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a letter's template can ask for."""
    return {
        "contact": contact,
        "shop": {"name": "Bench"},
        "links": {"unsubscribe": f"https://x/u/{id_}", "preferences": f"https://x/p/{id_}"},
        **data,
    }


def letter(id_: UUID, address: str, places: Mapping[str, str]) -> Mapping[str, Any]:
    """One receiver of a call with the text of his places."""
    return {"email": address, "metadata": {"delivery": str(id_)}, "substitutions": places}


async def letters(
    session: aiohttp.ClientSession, to: Sequence[Mapping[str, Any]], body: Mapping[str, str]
) -> str:
    """The job that the provider makes of them."""
    answer = await call(session, "/email/send.json", {"message": {"recipients": to, "body": body}})
    return str(answer["job_id"])
