"""History taken over from a file while a shop goes on: nothing old is told, what is new is told at once, and neither a
killed hub nor a killed command loses or doubles an order."""

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.process import clean_environ
from tests.e2e.sending import Crowd, Place, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kills by process groups"),
    pytest.mark.timeout(600),
]

ORDERS = int(os.environ.get("IMPORT_ORDERS", "6000"))
"""`IMPORT_ORDERS=100000` for a shop's whole year."""

BEGAN = datetime.now(UTC) - timedelta(days=300)
STATES = ("delivered", "shipped", "cancelled", "paid")


def rows(first: str) -> Iterator[Mapping[str, Any]]:
    """A year of orders with two lines each, of people who come back; ids begin with `first`."""
    for number in range(ORDERS):
        at = (BEGAN + timedelta(seconds=200 * number)).isoformat()
        buyer = number % (ORDERS // 2)
        yield {
            "id": f"{first}-{number}",
            "number": f"{first}-{number}",
            "status": STATES[number % len(STATES)],
            "created_at": at,
            "changed_at": at,
            "currency": "RUB",
            "total": "2980.00",
            "customer": {
                "id": f"old-{buyer}",
                "name": f"Buyer {buyer}",
                "email": f"b{buyer}@example.com",
            },
            "delivery": {"method": "pickup", "tracking": f"RA{number}"},
            "lines": [
                {"sku": "A-1", "title": "Чайник", "quantity": 1, "price": "1990.00"},
                {"sku": "A-2", "title": "Кружка", "quantity": 2, "price": "495.00"},
            ],
        }


def written(folder: Path, first: str) -> Path:
    path = folder / f"{first}.ndjson"
    with path.open("w") as file:
        for row in rows(first):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


class Import:
    """`vestnik import file` as an operator starts it beside the hub of `place`."""

    def __init__(self, place: Place, file: Path) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hub", "import", "file", str(file), "--kind", "orders"),
                *("--data", str(place.folder / "data")),
            ],
            cwd=place.folder,
            env=clean_environ() | {"VESTNIK_LISTEN": "127.0.0.1:0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self) -> str:
        """What it said, when all of it was taken over."""
        said, wrong = self.process.communicate(timeout=400)
        assert (self.process.returncode, wrong) == (0, ""), said + wrong
        return said


@dataclass
class Live:
    """Orders that come in meanwhile, over the API: how long each answer took, and when it was told."""

    answers: list[float] = field(default_factory=list)
    asked_at: dict[str, float] = field(default_factory=dict)


BUYER = 990_001


@asynccontextmanager
async def living(crowd: Crowd) -> AsyncIterator[Live]:
    """An order is shipped ten times a second while the context lasts; what a hub that is away does not take is told
    again, as shops do."""
    crowd.telegram.add_person(BUYER)
    status, _, answer = await crowd.call(
        "PUT", "/v1/contacts/live-buyer", {"addresses": {"telegram": str(BUYER)}}
    )
    assert status in (200, 201), answer
    live = Live()
    task = asyncio.create_task(_live_on(crowd, live))
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        await task


async def _live_on(crowd: Crowd, live: Live) -> None:
    mark = crowd.place.crowds
    for number in itertools.count():
        id_ = f"live-{mark}-{number}"
        live.asked_at[id_] = time.monotonic()
        data = {
            "id": id_,
            "status": "shipped",
            "customer": {"id": "live-buyer"},
            "lines": [{"title": "Чайник"}],
        }
        event = {"id": id_, "kind": "order", "action": "created", "data": data}
        while True:
            began = time.monotonic()
            try:
                status, _, _ = await crowd.call("POST", "/v1/events", event)
            except aiohttp.ClientError:
                status = 0
            if status == 202:
                live.answers.append(time.monotonic() - began)
                break
            live.asked_at[id_] = time.monotonic()
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)


async def imported(crowd: Crowd) -> Mapping[str, Any]:
    """The latest import as the API shows it."""
    _, _, answer = await crowd.call("GET", "/v1/imports?limit=1")
    found: Mapping[str, Any] = answer["items"][0]
    return found


async def reached(crowd: Crowd, share: float) -> None:
    """The import that runs is so far."""
    async with asyncio.timeout(120):
        while True:
            _, _, answer = await crowd.call("GET", "/v1/imports?limit=1")
            for run in answer["items"]:
                if run["state"] == "running" and run["done"] >= ORDERS * share:
                    return
            await asyncio.sleep(0.02)


async def check_told(crowd: Crowd, live: Live) -> None:
    """Every live order was told once, and nothing else was. Telegram recognises no repeat: what was with it when the hub
    was killed may have come twice, and is marked."""
    texts = [f"{sent.text} ".replace("\n", " ") for sent in crowd.telegram.sent]
    times = {id_: sum(f"{id_} " in text for text in texts) for id_ in live.asked_at}
    doubles = {id_: count for id_, count in times.items() if count > 1}
    assert len(doubles) <= await marked(crowd), doubles
    assert {sent.to for sent in crowd.telegram.sent} <= {str(BUYER)}


async def marked(crowd: Crowd) -> int:
    """How many of what the live orders' buyer was sent may have come twice."""
    count: int = 0
    cursor = ""
    while True:
        query = "?contact=live-buyer&limit=200" + (f"&cursor={cursor}" if cursor else "")
        status, _, page = await crowd.call("GET", f"/v1/notifications{query}")
        assert status == 200, page
        count += sum(d["maybe_duplicate"] for n in page["items"] for d in n["deliveries"])
        cursor = page["next_cursor"]
        if not cursor:
            return count


async def test_live_orders_are_answered_and_told_while_history_comes_in(
    place: Place, crowd: Crowd
) -> None:
    file = written(place.folder, "first")

    async with living(crowd) as live:
        await asyncio.sleep(1)
        command = Import(place, file)
        said = await asyncio.to_thread(command.ended)
        told_by_then = len(crowd.telegram.sent)
        asked_by_then = len(live.answers)

    run = await imported(crowd)
    assert (run["state"], run["done"], run["added"], run["faulty"]) == ("done", ORDERS, ORDERS, 0)
    assert f"{ORDERS:,} new" in said
    # Told while the import goes on and not after it, whatever else this machine has to do.
    assert told_by_then > asked_by_then / 2
    assert sorted(live.answers)[int(len(live.answers) * 0.95) - 1] < 1
    await crowd.arrived(len(live.answers), within=15)
    await check_told(crowd, live)


async def test_a_killed_hub_and_a_killed_command_lose_and_double_nothing(
    place: Place, crowd: Crowd
) -> None:
    file = written(place.folder, "second")

    async with living(crowd) as live:
        command = Import(place, file)
        await reached(crowd, 0.2)
        # The command waits for the hub and goes on by itself.
        place.kill_everything()
        await asyncio.to_thread(place.start)
        await reached(crowd, 0.5)
        command.process.send_signal(signal.SIGKILL)
        command.process.communicate()
        stood = (await imported(crowd))["done"]
        again = Import(place, file)
        said = await asyncio.to_thread(again.ended)

    run = await imported(crowd)
    assert 0 < stood < ORDERS
    # One portion may have been in the hub's hand when the command died.
    [row] = re.findall(r"goes on after row ([\d,]+)", said)
    assert int(row.replace(",", "")) - stood in (0, 200)
    assert (run["state"], run["done"], run["added"], run["known"]) == ("done", ORDERS, ORDERS, 0)
    await eventually(lambda: len(crowd.telegram.sent) >= len(live.answers), within=20)
    await check_told(crowd, live)


async def test_what_happens_to_an_imported_order_is_told_and_what_was_is_not(
    place: Place, crowd: Crowd
) -> None:
    """Its first news after the import is news; the same state once more is none."""
    # Somebody of his own: what was still under way of the others must not be taken for his.
    chat = BUYER + 1
    crowd.telegram.add_person(chat)
    await crowd.call("PUT", "/v1/contacts/kept-buyer", {"addresses": {"telegram": str(chat)}})
    row = {
        "id": "kept-1",
        "status": "paid",
        "created_at": BEGAN.isoformat(),
        "customer": {"id": "kept-buyer"},
        "lines": [{"title": "Чайник"}],
    }
    file = place.folder / "kept.ndjson"
    file.write_text(json.dumps(row, ensure_ascii=False))
    await asyncio.to_thread(Import(place, file).ended)

    for number, status in enumerate(("paid", "shipped")):
        now = datetime.now(UTC).isoformat()
        event = {
            "id": f"kept-{number}",
            "kind": "order",
            "action": "updated",
            "data": row | {"status": status, "changed_at": now},
        }
        answer = await crowd.call("POST", "/v1/events", event)
        assert answer[0] == 202, answer

    def told() -> int:
        return sum(sent.to == str(chat) for sent in crowd.telegram.sent)

    await eventually(lambda: told() >= 1, within=30)
    await asyncio.sleep(2)
    assert told() == 1
