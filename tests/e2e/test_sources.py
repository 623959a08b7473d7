"""A shop on a platform against the whole hub, which is killed in the middle: no order is lost, nobody is told twice."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.process import Up
from tests.simulators.base import Fault
from tests.simulators.insales import InSalesSimulator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(240),
]

MANY = 120

_SETTINGS = """
[hub]
outgoing_allow = ["127.0.0.0/8"]

[shops.main]
name = "Ромашка"
order = { stock_confirmation = %s }
"""


class Shop:
    """An InSales shop, each of whose orders is of a buyer of its own, and the hub that it is connected to."""

    def __init__(self, folder: Path, platform: InSalesSimulator, *, asks: bool = False) -> None:
        """`asks`: whether the shelf is asked what there is."""
        self._folder = folder
        self.platform = platform
        self.hub: Up
        self.url = self.key = self.source = ""
        self.session = aiohttp.ClientSession()
        (folder / "vestnik.toml").write_text(_SETTINGS % str(asks).lower())

    async def start(self) -> None:
        # The platform is told one address only.
        listen = {"VESTNIK_LISTEN": self.url.removeprefix("http://")} if self.url else {}
        self.hub = Up(self._folder / "data", **listen)
        self.url = await asyncio.to_thread(self.hub.ready)
        self.key = self.key or await asyncio.to_thread(self.hub.key)

    async def kill(self) -> None:
        """As a power cut does it."""
        pids = self.hub.pids().values()
        self.hub.process.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self.hub.end)
        self.hub.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.session.request(
            method, self.url + path, json=body, headers=headers
        ) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def connect(self) -> None:
        made = await self.call(
            "POST",
            "/v1/sources",
            {
                "name": "romashka",
                "platform": "insales",
                "config": {
                    "base_url": self.platform.url,
                    "login": self.platform.login,
                    "password": self.platform.password,
                },
            },
        )
        self.source = made["id"]
        connected = await self.call("POST", f"/v1/sources/{self.source}/connect")
        assert connected["ok"], connected
        # The settings name no address for the outside, so that the hooks have the one by default.
        for hook in self.platform.webhooks:
            hook["address"] = self.url + hook["address"][hook["address"].index("/hooks/") :]

    async def place(self) -> str:
        """A buyer orders; the id. Nobody tries again if the hub does not hear of it."""
        number = len(self.platform.orders) + 1
        client = {"id": number, "name": f"Покупатель {number}", "email": f"b{number}@buyer.example"}
        order = self.platform.order(client=client)
        await self._push("orders/create", str(order["id"]))
        return str(order["id"])

    async def move(self, id_: str, **changes: Any) -> None:
        self.platform.change(id_, **changes)
        await self._push("orders/update", id_)

    async def _push(self, topic: str, id_: str) -> None:
        try:
            await self.platform.push(topic, id_)
        except (aiohttp.ClientError, OSError):
            self.platform.told.append(0)

    async def items(self, path: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        cursor = ""
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = await self.call("GET", f"{path}{'&' if '?' in path else '?'}limit=200{more}")
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    async def all_are(self, status: str, within: float = 60) -> None:
        """Every order of the platform has come to that status here."""
        wanted = set(self.platform.orders)
        async with asyncio.timeout(within):
            while True:
                orders = await self.items("/v1/orders")
                if {o["external_id"] for o in orders if o["status"] == status} == wanted:
                    return
                await asyncio.sleep(0.2)

    async def told(self) -> Counter[tuple[str, str]]:
        """How often each template went to each buyer."""
        notifications = await self.items("/v1/notifications")
        return Counter(
            (n["template"], n["contact"])
            for n in notifications
            if not n["contact"].endswith("shop")
        )

    async def close(self) -> None:
        await self.session.close()
        await asyncio.to_thread(self.hub.close)


@pytest.fixture
async def platform() -> Any:
    async with InSalesSimulator() as platform:
        platform.allowed = 1_000_000
        yield platform


@pytest.fixture
async def shop(tmp_path: Path, platform: InSalesSimulator) -> Any:
    shop = Shop(tmp_path, platform)
    await shop.start()
    yield shop
    await shop.close()


async def test_no_order_is_lost_and_nobody_is_told_twice_when_all_is_killed(shop: Shop) -> None:
    await shop.connect()
    for _ in range(MANY):
        await shop.place()
        if len(shop.platform.orders) == MANY // 3:
            await shop.kill()
            restarted = asyncio.create_task(shop.start())
        await asyncio.sleep(0.02)
    await restarted
    missed = shop.platform.told.count(0)
    assert missed > 0

    await shop.call("POST", f"/v1/sources/{shop.source}/read")
    await shop.all_are("placed")

    told = await shop.told()
    assert len(told) == MANY
    assert set(told.values()) == {1}
    events = await shop.items("/v1/events?kind=order")
    assert {event["result"] for event in events} <= {"applied", "repeated", "stale"}
    via = Counter(event["via"] for event in events if event["result"] == "applied")
    assert via["poll"] >= missed
    assert sum(via.values()) == MANY


async def test_workers_that_die_do_not_tell_twice(shop: Shop) -> None:
    await shop.connect()
    ids = [await shop.place() for _ in range(MANY)]
    await shop.all_are("placed")
    # Times of the platform are to the second.
    await asyncio.sleep(1.1)

    for count, id_ in enumerate(ids):
        await shop.move(id_, fulfillment_status="dispatched", custom_status=None)
        if count % 40 == 20:
            # The one before may not have been replaced yet.
            with suppress(ProcessLookupError):
                os.kill(shop.hub.pids()["worker"], signal.SIGKILL)
        await asyncio.sleep(0.02)

    await shop.all_are("shipped")
    assert shop.platform.told.count(200) == 2 * MANY
    told = await shop.told()
    assert Counter(template for template, _ in told) == {
        "order.placed": MANY,
        "order.shipped": MANY,
    }
    assert set(told.values()) == {1}


async def test_what_the_shelf_has_answered_reaches_the_platform_over_a_crash(
    tmp_path: Path, platform: InSalesSimulator
) -> None:
    shop = Shop(tmp_path, platform, asks=True)
    await shop.start()
    await shop.connect()
    await shop.call("PATCH", f"/v1/sources/{shop.source}", {"write_back": True})
    ids = [await shop.place() for _ in range(8)]
    await shop.all_are("awaiting_stock")

    platform.fault = Fault(status=503, headers={"Retry-After": "1"})
    for request in await shop.items("/v1/stock-requests?status=open"):
        lines = [{"id": line["id"], "confirmed": line["asked"]} for line in request["lines"]]
        body = {"lines": lines, "by": "keeper"}
        await shop.call("POST", f"/v1/stock-requests/{request['id']}/answer", body)
    await shop.kill()
    platform.fault = None
    await shop.start()

    async with asyncio.timeout(60):
        while {o["fulfillment_status"] for o in platform.orders.values()} != {"accepted"}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    before = await shop.told()
    assert {count for (template, _), count in before.items() if template == "order.confirmed"} == {
        1
    }
    # Its own word comes back to it, and asks and tells nobody.
    for id_ in ids:
        await shop.move(id_)
    async with asyncio.timeout(30):
        while await shop.items("/v1/events?result=waiting"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await shop.told() == before
    await shop.all_are("confirmed")
    await shop.close()


async def test_a_new_order_is_told_within_a_second_or_so(shop: Shop) -> None:
    await shop.connect()
    loop = asyncio.get_running_loop()
    waits = []
    for number in range(1, 11):
        began = loop.time()
        await shop.place()
        async with asyncio.timeout(10):
            to = f"b{number}@buyer.example"
            while not await shop.items(f"/v1/sandbox/messages?to={to}"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        waits.append(loop.time() - began)

    assert sorted(waits)[len(waits) // 2] < 3, waits
