"""Imports that the hub reads from a platform by itself, page by page, over whatever happens to either."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from hub import import_command
from hub.accounts.limits import RateLimits
from hub.config import Settings
from hub.history import queries, service
from hub.history.running import Importer
from hub.ids import new_id
from hub.import_command import Where
from hub.resources import Hub
from hub.sources import service as sources
from hub.sources.model import Source
from hub.sources.service import Setup
from tests.hub.api.client import Api
from tests.hub.history.conftest import counted
from tests.simulators.base import Fault
from tests.simulators.moysklad import TOKEN, MoySkladSimulator

ORDERS = 130
"""More than a page of MoySklad's."""


@pytest.fixture
async def sklad() -> AsyncIterator[MoySkladSimulator]:
    async with MoySkladSimulator() as simulator:
        yield simulator


@pytest.fixture
async def source(hub: Hub, sklad: MoySkladSimulator) -> Source:
    setup = Setup("sklad", "moysklad", {"token": TOKEN, "base_url": sklad.base_url})
    allow = hub.settings.hub.outgoing_allow
    made, _ = await sources.create(hub.db, hub.signer, hub.shop("main").id, setup, allow=allow)
    return made


@pytest.fixture
def importer(hub: Hub) -> Importer:
    return Importer(hub, uuid4(), _Unlimited())  # type: ignore[arg-type]


class _Unlimited:
    """MoySklad's own limit would make each test take half a minute."""

    async def calls(self, _name: str, _limits: Any, _lane: Any, wanted: int) -> Any:
        return type("Grant", (), {"calls": wanted, "wait": timedelta(0)})


async def begun(api: Api, **more: Any) -> dict[str, Any]:
    answer = await api.post("/v1/imports", {"source": "sklad", "months": 3, **more})
    assert answer.status == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


async def shown(api: Api, run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/imports/{run['id']}")).json
    return found


async def until(api: Api, run: dict[str, Any], happened: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if happened(await shown(api, run)):
                return
            await asyncio.sleep(0.01)


async def test_all_kinds_are_taken_over_and_nobody_hears_of_it(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    for n in range(ORDERS):
        sklad.place(state=("Новый", "Отгружен")[n % 2])
    run = await begun(api)

    assert await importer.once()

    done = await shown(api, run)
    people, goods = (len(sklad.objects[type_]) for type_ in ("counterparty", "product"))
    assert done["state"] == "done", done
    assert done["total"] == done["done"] == ORDERS + people + goods
    assert done["added"] + done["known"] == done["done"]
    assert await hub.db.fetchval("SELECT count(*) FROM shop_order") == ORDERS
    assert await counted(hub) == {}
    assert not await importer.once()


async def test_kinds_can_be_chosen_and_others_are_left(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    sklad.place()
    run = await begun(api, kinds=["customer"])

    await importer.once()

    assert (await shown(api, run))["done"] == 1
    assert await hub.db.fetchval("SELECT count(*) FROM shop_order") == 0


async def test_a_platform_that_is_away_is_asked_again(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    sklad.place()
    run = await begun(api, kinds=["order"])
    sklad.faults += [Fault(status=503), Fault(status=502)]

    await importer.once()
    waits = await shown(api, run)
    for _ in range(3):
        await hub.db.execute("UPDATE import_run SET due_at = now()")
        await importer.once()

    assert (waits["state"], waits["reason"]) == ("running", "http-503")
    done = await shown(api, run)
    assert (done["state"], done["reason"], done["added"]) == ("done", "", 1)


async def test_bad_credentials_end_it_with_a_reason_and_it_can_be_gone_on_with(
    api: Api, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    sklad.place()
    run = await begun(api, kinds=["order"])
    sklad.fault = Fault(status=401)

    await importer.once()
    failed = await shown(api, run)
    sklad.fault = None
    resumed = await api.post(f"/v1/imports/{run['id']}/resume")
    await importer.once()

    assert failed["state"] == "failed"
    assert "credentials" in failed["reason"]
    assert resumed.json["state"] == "running"
    assert (await shown(api, run))["state"] == "done"


async def test_a_dead_worker_is_taken_over_from_and_nothing_comes_twice(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    """It died after its first page; another one goes on when the lease is over, not before."""
    for _ in range(ORDERS):
        sklad.place()
    run = await begun(api, kinds=["order"])
    task = asyncio.create_task(importer.once())
    await until(api, run, lambda found: found["done"] >= 100)
    task.cancel()
    await asyncio.wait([task])
    another = Importer(hub, uuid4(), _Unlimited())  # type: ignore[arg-type]

    too_early = await another.once()
    await hub.db.execute("UPDATE import_run SET due_at = now()")
    await another.once()

    assert not too_early
    done = await shown(api, run)
    assert (done["state"], done["done"], done["added"]) == ("done", ORDERS, ORDERS)


async def test_a_page_that_takes_long_stays_with_its_worker(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source
) -> None:
    """Else two workers would take it from each other, and it would never end."""
    lease = timedelta(seconds=0.4)
    one, another = (
        Importer(hub, uuid4(), _Unlimited(), lease=lease)  # type: ignore[arg-type]
        for _ in range(2)
    )
    sklad.place()
    sklad.delay = 1.5
    run = await begun(api, kinds=["order"])

    task = asyncio.create_task(one.once())
    await asyncio.sleep(1)
    taken = await another.once()
    await task

    assert not taken
    assert (await shown(api, run))["state"] == "done"


async def test_one_that_comes_back_under_its_name_goes_on_at_once(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source
) -> None:
    sklad.place()
    run = await begun(api, kinds=["order"])
    worker = new_id()
    assert await queries.claim(hub.db, worker)

    task = asyncio.create_task(Importer(hub, worker, _Unlimited()).run())  # type: ignore[arg-type]
    await until(api, run, lambda found: found["state"] == "done")
    task.cancel()
    await asyncio.wait([task])


async def test_a_stop_counts_with_the_next_portion(
    api: Api, hub: Hub, sklad: MoySkladSimulator, source: Source, importer: Importer
) -> None:
    for _ in range(ORDERS):
        sklad.place()
    sklad.delay = 0.2
    run = await begun(api, kinds=["order"])
    task = asyncio.create_task(importer.once())
    await asyncio.sleep(0.3)

    await api.post(f"/v1/imports/{run['id']}/pause")
    await task

    paused = await shown(api, run)
    assert paused["state"] == "paused"
    assert paused["done"] < ORDERS
    assert not await importer.once()


async def test_asked_for_again_it_is_the_same_and_another_has_to_wait(
    api: Api, sklad: MoySkladSimulator, source: Source
) -> None:
    run = await begun(api)

    same = await api.post("/v1/imports", {"source": "sklad", "months": 3})
    other = await api.post("/v1/imports", {"source": "sklad", "months": 6})
    rows = await api.post(f"/v1/imports/{run['id']}/rows", {"from": 0, "rows": [None]})

    assert (same.status, same.json["id"]) == (200, run["id"])
    assert (other.status, rows.status) == (409, 409)
    assert run["id"] in other.json["detail"]


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [
        ("2026-11-30", 1, "2026-10-30"),
        ("2026-05-31", 3, "2026-02-28"),
        ("2026-03-31", 6, "2025-09-30"),
        ("2026-01-15", 12, "2025-01-15"),
        ("2024-03-31", 1, "2024-02-29"),
    ],
)
def test_months_are_those_of_the_calendar(now: str, months: int, then: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert service.months_before(at, months).date().isoformat() == then


async def test_the_limits_of_the_platform_are_kept(
    hub: Hub, redis_url: str, sklad: MoySkladSimulator, source: Source, api: Api
) -> None:
    """With the real counters: an import takes its turn behind live calls and waits instead of failing."""
    sklad.place()
    run = await begun(api, kinds=["order"])
    async with Redis.from_url(redis_url) as redis:
        importer = Importer(hub, uuid4(), RateLimits(redis))
        for _ in range(20):
            await hub.db.execute("UPDATE import_run SET due_at = now()")
            await importer.once()
            if (await shown(api, run))["state"] == "done":
                break

    assert (await shown(api, run))["state"] == "done"


async def test_the_command_shows_it_until_it_is_done(
    settings: Settings,
    url: str,
    api: Api,
    sklad: MoySkladSimulator,
    source: Source,
    importer: Importer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(3):
        sklad.place()
    where = Where("main", url, api.key)
    working = asyncio.create_task(importer.run())

    code = await asyncio.to_thread(
        import_command.from_source, settings, where, "sklad", 6, ["order"]
    )

    working.cancel()
    await asyncio.wait([working])
    said = capsys.readouterr().out.splitlines()
    assert code == 0
    assert said[-2:] == [
        "done: orders   3 of 3   100 %",
        "3 new, 0 changed, 0 known before, 0 faulty",
    ]


async def test_the_command_says_why_it_failed(
    settings: Settings,
    url: str,
    api: Api,
    sklad: MoySkladSimulator,
    source: Source,
    importer: Importer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sklad.fault = Fault(status=401)
    where = Where("main", url, api.key)
    working = asyncio.create_task(importer.run())

    code = await asyncio.to_thread(import_command.from_source, settings, where, "sklad", 6, [])

    working.cancel()
    await asyncio.wait([working])
    said = capsys.readouterr().out
    assert code == 1
    assert "failed: customers+products+orders   0" in said
    assert "the platform refuses the credentials" in said
    assert "`vestnik import resume " in said
