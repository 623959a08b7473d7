"""A shop's past year taken over from a file by `vestnik import`, while its live orders go on."""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.rig import PEOPLE, Rig

_EVERY = 0.1
"""Seconds between live orders."""

_STATES = ("delivered", "shipped", "cancelled", "paid")

_TOLD = """
SELECT extract(epoch FROM d.sent_at - uuid_extract_timestamp(e.id))::float AS waited
  FROM shop_event AS e
 CROSS JOIN LATERAL jsonb_array_elements_text(e.set_off -> 'notifications') AS told (id)
  JOIN delivery AS d ON d.notification_id = told.id::uuid
 WHERE d.sent_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Found:
    """`rate`: orders a second. Of live orders meanwhile: seconds from the request to its answer, and from there being
    taken to the message at the provider; `untold`: those that never got there."""

    rate: float
    answers: list[float]
    told: list[float]
    untold: int


async def measured(rig: Rig, orders: int) -> Found:
    """With a worker running."""
    file = rig.folder / "history.ndjson"
    await asyncio.to_thread(_write, file, orders)
    async with rig.api() as api:
        # The shop's own source is made by the first that comes; once that is told, the workers are there.
        await api.post("/v1/events", _live(0))
    async with asyncio.timeout(60):
        while True:
            if await rig.db.fetch(_TOLD):
                break
            await asyncio.sleep(0.2)
    answers: list[float] = []
    live = asyncio.create_task(_live_on(rig, answers))
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "import", "file", str(file), "--kind", "orders"),
        *("--url", rig.url, "--key", rig.key),
        cwd=rig.folder,
        env=os.environ | rig.environ,
        stdout=asyncio.subprocess.DEVNULL,
    )
    code = await command.wait()
    live.cancel()
    with suppress(asyncio.CancelledError):
        await live
    if code:
        raise RuntimeError("the import did not go through")
    async with rig.api() as api:
        run = json.loads(await api.get("/v1/imports?limit=1"))["items"][0]
    if run["added"] != orders:
        raise RuntimeError(f"{run['added']} of {orders} orders were taken over")
    took = datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["created_at"])
    await asyncio.sleep(3)
    told = [row["waited"] for row in await rig.db.fetch(_TOLD)]
    taken = await rig.db.fetchval("SELECT count(*) FROM shop_event")
    return Found(orders / took.total_seconds(), answers, told, taken - len(told))


async def _live_on(rig: Rig, answers: list[float]) -> None:
    async with rig.api() as api:
        for number in itertools.count(1):
            began = time.perf_counter()
            await api.post("/v1/events", _live(number))
            answers.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, began + _EVERY - time.perf_counter()))


def _live(number: int) -> dict[str, Any]:
    """An order that is shipped, of somebody who has Telegram."""
    id_ = f"live-{number}"
    data = {
        "id": id_,
        "status": "shipped",
        "customer": {"id": f"buyer-{1 + number % PEOPLE}"},
        "lines": [{"title": "Чайник", "price": "1990.00"}],
    }
    return {"id": id_, "kind": "order", "action": "created", "data": data}


def _write(file: Path, orders: int) -> None:
    with file.open("w") as out:
        for row in _rows(orders):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(orders: int) -> Iterator[Mapping[str, Any]]:
    """Two lines each; everybody has bought twice."""
    first = datetime.now(UTC) - timedelta(days=365)
    for number in range(orders):
        at = (first + timedelta(seconds=300 * number)).isoformat()
        buyer = number % (orders // 2)
        yield {
            "id": f"past-{number}",
            "number": f"A-{number}",
            "status": _STATES[number % len(_STATES)],
            "created_at": at,
            "changed_at": at,
            "currency": "RUB",
            "total": "2980.00",
            "customer": {
                "id": f"past-{buyer}",
                "name": f"Покупатель {buyer}",
                "email": f"past-{buyer}@example.com",
                "phone": f"+7901{buyer:07}",
            },
            "delivery": {"method": "pickup", "tracking": f"RA{number:09}RU"},
            "lines": [
                {"id": "1", "sku": "K-1", "title": "Чайник", "quantity": 1, "price": "1990.00"},
                {"id": "2", "sku": "K-2", "title": "Кружка", "quantity": 2, "price": "495.00"},
            ],
        }
