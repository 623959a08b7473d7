"""A provider that takes everything at once: the Bot API's sendMessage, with the time of each arrival."""

import argparse
import asyncio
import json
import time
from pathlib import Path

from aiohttp import web


async def serve(arrivals_file: Path) -> None:
    """Prints its port; writes {text: time.time()} when it is told to stop."""
    arrivals: dict[str, float] = {}
    counted = 0

    async def send_message(request: web.Request) -> web.Response:
        nonlocal counted
        form = await request.json()
        arrivals[str(form["text"])] = time.time()
        counted += 1
        chat = int(str(form["chat_id"]))
        result = {"message_id": counted, "date": 0, "chat": {"id": chat, "type": "private"}}
        return web.json_response({"ok": True, "result": result})

    async def get_me(_request: web.Request) -> web.Response:
        me = {"id": 1, "is_bot": True, "first_name": "Sink", "username": "sink_bot"}
        return web.json_response({"ok": True, "result": me})

    async def get_updates(_request: web.Request) -> web.Response:
        await asyncio.sleep(20)
        return web.json_response({"ok": True, "result": []})

    async def count(_request: web.Request) -> web.Response:
        return web.json_response({"count": counted})

    async def dump(_request: web.Request) -> web.Response:
        await asyncio.to_thread(arrivals_file.write_text, json.dumps(arrivals))
        return web.json_response({"count": counted})

    app = web.Application()
    app.router.add_post("/bot{token}/sendMessage", send_message)
    app.router.add_route("*", "/bot{token}/getMe", get_me)
    app.router.add_route("*", "/bot{token}/getUpdates", get_updates)
    app.router.add_route("*", "/bot{token}/{other}", get_me)
    app.router.add_get("/count", count)
    app.router.add_post("/dump", dump)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("arrivals", type=Path)
    asyncio.run(serve(parser.parse_args().arrivals))
