"""An import from its beginning to its end: gone on with, stopped, and told how far it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Answer, Api
from tests.hub.history.conftest import Begin, order


async def bring(api: Api, id_: str, start: int, *rows: Any) -> Answer:
    return await api.post(f"/v1/imports/{id_}/rows", {"from": start, "rows": list(rows)})


async def test_the_same_file_is_gone_on_with(api: Api, begin: Begin) -> None:
    first = await begin(fingerprint="abc", total=3)
    await bring(api, first["id"], 0, order("1"), order("2"))
    await api.post(f"/v1/imports/{first['id']}/pause")

    again = await begin(200, fingerprint="abc", total=3)
    other = await begin(fingerprint="abd", total=3)

    assert (again["id"], again["done"], again["state"]) == (first["id"], 2, "running")
    assert other["id"] != first["id"]


async def test_one_that_is_over_is_begun_anew(api: Api, begin: Begin) -> None:
    first = await begin(fingerprint="abc")
    await api.post(f"/v1/imports/{first['id']}/finish")

    again = await begin(fingerprint="abc")

    assert again["id"] != first["id"]


async def test_rows_that_were_taken_are_not_taken_again(api: Api, begin: Begin) -> None:
    """The answer was lost, and whoever brings them says it again."""
    run = await begin()
    await bring(api, run["id"], 0, order("1"), order("2"))

    again = await bring(api, run["id"], 0, order("1"), order("2"))
    gap = await bring(api, run["id"], 5, order("6"))

    assert [again.status, gap.status] == [409, 409]
    assert "rows from 2 on are due" in again.json["detail"]
    assert (await api.get(f"/v1/imports/{run['id']}")).json["done"] == 2


async def test_of_the_same_rows_brought_at_once_one_is_taken(api: Api, begin: Begin) -> None:
    run = await begin()

    answers = await asyncio.gather(
        *(bring(api, run["id"], 0, *(order(str(n)) for n in range(50))) for _ in range(4))
    )

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    shown = (await api.get(f"/v1/imports/{run['id']}")).json
    assert (shown["done"], shown["added"]) == (50, 50)


@pytest.mark.parametrize(
    ("act", "state"), [("pause", "paused"), ("cancel", "cancelled"), ("finish", "done")]
)
async def test_one_that_stands_takes_no_rows(api: Api, begin: Begin, act: str, state: str) -> None:
    run = await begin()

    stopped = await api.post(f"/v1/imports/{run['id']}/{act}")
    again = await api.post(f"/v1/imports/{run['id']}/{act}")

    assert (stopped.status, stopped.json["state"]) == (200, state)
    assert again.status == 200
    refused = await bring(api, run["id"], 0, order("1"))
    assert refused.status == 409
    assert state in refused.json["detail"]
    assert (stopped.json["finished_at"] is None) is (state == "paused")


async def test_a_paused_one_goes_on_and_one_that_is_over_does_not(api: Api, begin: Begin) -> None:
    run = await begin()
    await api.post(f"/v1/imports/{run['id']}/pause")

    resumed = await api.post(f"/v1/imports/{run['id']}/resume")
    taken = await bring(api, run["id"], 0, order("1"))
    await api.post(f"/v1/imports/{run['id']}/finish")

    assert (resumed.json["state"], taken.status) == ("running", 200)
    for act in ("pause", "resume", "cancel"):
        refused = await api.post(f"/v1/imports/{run['id']}/{act}")
        assert refused.status == 409
        assert "this import is done" in refused.json["detail"]


async def test_rate_and_time_left_are_told(api: Api, begin: Begin, hub: Hub) -> None:
    run = await begin(total=100)
    await bring(api, run["id"], 0, *(order(str(n)) for n in range(10)))
    # Ten seconds ago nothing was done.
    await hub.db.execute(
        "UPDATE import_run SET window_at = now() - interval '10 seconds', window_done = 0"
    )

    shown = (await api.get(f"/v1/imports/{run['id']}")).json

    assert shown["rate"] == pytest.approx(1, abs=0.1)
    assert shown["seconds_left"] == pytest.approx(90, abs=10)
    paused = (await api.post(f"/v1/imports/{run['id']}/pause")).json
    assert (paused["rate"], paused["seconds_left"]) == (None, None)


async def test_only_the_first_faults_are_kept_and_all_are_counted(api: Api, begin: Begin) -> None:
    run = await begin()
    await bring(api, run["id"], 0, *[None] * 150)
    shown = (await bring(api, run["id"], 150, *[None] * 50)).json

    assert shown["faulty"] == 200
    assert [fault["row"] for fault in shown["faults"]] == list(range(1, 101))


async def test_the_newest_are_listed_first_page_by_page(api: Api, begin: Begin) -> None:
    made = [(await begin())["id"] for _ in range(3)]

    first = (await api.get("/v1/imports?limit=2")).json
    second = (await api.get(f"/v1/imports?limit=2&cursor={first['next_cursor']}")).json

    assert [one["id"] for one in (*first["items"], *second["items"])] == made[::-1]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "months"),
        ({"kind": "order", "months": 3}, 400, "months"),
        ({"months": 2}, 400, "/months"),
        ({"kind": "cart"}, 400, "/kind"),
        ({"months": 3, "total": 5}, 400, "total"),
        ({"kind": "order", "source": "nobody"}, 422, "no source of this name"),
        ({"months": 3, "source": "nobody"}, 422, "no source of this name"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    api: Api, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await api.post("/v1/imports", body)

    assert answer.status == status
    assert said in answer.raw.decode()


async def test_a_source_that_only_tells_cannot_be_read(api: Api, begin: Begin) -> None:
    await begin()

    answer = await api.post("/v1/imports", {"months": 6})

    assert answer.status == 422
    assert "cannot be read back" in answer.json["errors"][0]["detail"]


async def test_another_shops_import_is_none_of_ours(
    api: Api, url: str, begin: Begin, key_for: Callable[..., Awaitable[str]]
) -> None:
    run = await begin(fingerprint="abc")

    async with Api(url, await key_for(Scope.ADMIN, shop="other")) as other:
        for method, path in (
            ("GET", ""),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("POST", "/cancel"),
            ("POST", "/finish"),
        ):
            assert (await other.call(method, f"/v1/imports/{run['id']}{path}")).status == 404
        assert (await bring(other, run["id"], 0, order("1"))).status == 404
        own = await other.post("/v1/imports", {"kind": "order", "fingerprint": "abc"})
        assert (own.status, own.json["id"] == run["id"]) == (201, False)


async def test_too_many_rows_at_once_are_refused(api: Api, begin: Begin) -> None:
    run = await begin()

    assert (await bring(api, run["id"], 0, *[None] * 201)).status == 400
    assert (await bring(api, run["id"], 0)).status == 400


async def test_who_began_and_stopped_it_is_written_down(api: Api, begin: Begin) -> None:
    run = await begin()
    for act in ("pause", "resume", "cancel"):
        await api.post(f"/v1/imports/{run['id']}/{act}")

    noted = (await api.get("/v1/audit")).json["items"]

    actions = [entry["action"] for entry in noted if entry["object"] == run["id"]]
    assert actions == ["import.cancelled", "import.resumed", "import.paused", "import.started"]
