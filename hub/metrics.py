"""How the numbers that roles count reach Prometheus: those of one process, or of all that share a folder."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""In the environment: where processes of one machine keep their numbers together."""

NAME = "VESTNIK_PROCESS"
"""In the environment: what this process calls its files there. Whoever bore the name before is dead."""

HEADERS = {"Content-Type": CONTENT_TYPE_LATEST}

if FOLDER in os.environ and (_name := os.environ.get(NAME)):
    # Named by process ids, as the library does it, every restart would leave files behind, and a sum without the
    # dead would go down. So a successor goes on counting where the dead stopped.
    values.ValueClass = values.MultiProcessValue(lambda: _name)  # type: ignore[no-untyped-call]


def empty_folder(data: Path) -> Path:
    """Of a data folder, for a run that begins: what is in it was counted by the dead."""
    folder = data / "metrics"
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)
    return folder


def text() -> bytes:
    """This process's numbers, or those of all that share the folder."""
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    # Of processor and memory each process knows its own only.
    ProcessCollector(registry=together)
    return generate_latest(together)


@asynccontextmanager
async def served(host: str, port: int) -> AsyncIterator[int]:
    """`/metrics` at that address as long as the context lasts; the port there is. Raises `OSError`: it is taken."""
    app = web.Application()
    app.router.add_get("/metrics", _metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=await asyncio.to_thread(text), headers=HEADERS)
