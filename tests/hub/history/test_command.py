"""`vestnik import` beside a hub: files brought whole, broken off, gone on with, and what is said of it."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub import import_command
from hub.cli import main, parser
from hub.config import Settings
from hub.history import tables
from hub.history.client import Away, Client, ImportFailed, Refused
from hub.history.screen import Screen
from hub.history.sending import Sender, portions
from hub.history.tables import Layout, Row
from hub.import_command import Where
from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.history.conftest import order

TABLE = """id;number;status;line.title;line.quantity
1;A-1;delivered;Чайник;2
1;;;Кружка;1
2;A-2;delivered;Чайник;много
3;A-3;delivered;Чайник;1
"""


@pytest.fixture
async def where(url: str, key_for: Callable[..., Awaitable[str]]) -> Where:
    return Where("main", url, await key_for(Scope.ADMIN))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(TABLE)
    return path


def ndjson(folder: Path, *rows: Any) -> Path:
    path = folder / "orders.ndjson"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


async def brought(settings: Settings, where: Where, path: Path, **how: Any) -> int:
    """In a thread of its own, as the command has a loop of its own."""
    layout = import_command.layout_of(settings, path, "order", **how)
    return await asyncio.to_thread(import_command.from_file, settings, where, path, layout, None)


async def test_a_table_is_brought_and_its_faults_are_told_by_their_lines(
    settings: Settings, where: Where, api: Api, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await brought(settings, where, table)

    said = capsys.readouterr().out.splitlines()
    assert code == 0
    assert "line 4: /lines/0/quantity must be a number that is not below zero" in "\n".join(said)
    assert said[-2].startswith("done: orders   3 of 3   100 %")
    assert said[-1] == "2 new, 0 changed, 0 known before, 1 faulty"
    first = (await api.get("/v1/orders/1")).json
    assert [line["quantity"] for line in first["lines"]] == [2, 1]
    assert (await api.get("/v1/orders/2")).status == 404


async def test_the_same_command_goes_on_where_it_was(
    settings: Settings, where: Where, api: Api, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tables.survey(table, import_command.layout_of(settings, table, "order"))
    begun = await api.post(
        "/v1/imports", {"kind": "order", "total": found.total, "fingerprint": found.fingerprint}
    )
    [first, *_] = tables.rows(table, import_command.layout_of(settings, table, "order"))
    path = f"/v1/imports/{begun.json['id']}/rows"
    assert (await api.post(path, {"from": 0, "rows": [first.value]})).status == 200

    code = await brought(settings, where, table)

    assert code == 0
    assert "goes on after row 1" in capsys.readouterr().out
    run = (await api.get(f"/v1/imports/{begun.json['id']}")).json
    assert (run["state"], run["done"], run["added"], run["known"]) == ("done", 3, 2, 0)


async def test_a_row_that_no_json_may_hold_is_a_fault_of_its_own(
    settings: Settings, where: Where, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hub refuses the whole body for it; the other rows have nothing to do with that."""
    control = order("2", number="A\u0001")
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    rows = [order("1"), control, "{}broken", order("3", customer={"attributes": {"a": deep}})]

    code = await brought(settings, where, ndjson(tmp_path, *rows, order("4")))

    said = capsys.readouterr().out
    assert code == 0
    assert "line 2: " in said
    assert "line 3: is not JSON" in said
    assert "line 4: " in said
    assert "2 new, 0 changed, 0 known before, 3 faulty" in said


async def test_one_that_was_paused_says_how_to_go_on(
    settings: Settings, where: Where, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ndjson(tmp_path, *(order(str(n)) for n in range(450)))

    task = asyncio.create_task(brought(settings, where, path))
    async with asyncio.timeout(20):
        while True:
            items = (await api.get("/v1/imports")).json["items"]
            if items and items[0]["done"]:
                break
            await asyncio.sleep(0.005)
    stopped = await api.post(f"/v1/imports/{items[0]['id']}/pause")
    code = await task

    assert stopped.status == 200
    assert code == 1
    assert f"`vestnik import resume {items[0]['id']}` goes on" in capsys.readouterr().out


async def test_runs_are_listed_shown_and_stopped(
    settings: Settings, where: Where, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    run = (await api.post("/v1/imports", {"kind": "order", "total": 5})).json

    await asyncio.to_thread(import_command.listed, settings, where)
    await asyncio.to_thread(import_command.shown, settings, where, run["id"], "cancel")

    said = capsys.readouterr().out
    assert f"{run['id']}  " in said
    assert "api  running  orders   0 of 5   0 %" in said
    assert "cancelled: orders   0 of 5" in said


async def test_without_a_hub_it_says_so_and_starts_nothing(settings: Settings, table: Path) -> None:
    nobody = Where("main", "http://127.0.0.1:9", "vst_none")

    with pytest.raises(ImportFailed, match=r"no hub answers at http://127\.0\.0\.1:9"):
        await brought(settings, nobody, table)


async def test_a_refusal_is_told_as_it_is(settings: Settings, where: Where, hub: Hub) -> None:
    layout = Layout("order", tables.Format.NDJSON)
    with pytest.raises(Refused, match="no source of this name"):
        await asyncio.to_thread(import_command.from_source, settings, where, "nobody", 3, ["order"])
    assert layout.kind == "order"


def test_a_file_can_be_looked_at_without_a_hub(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)

    code = main(["import", "file", "orders.csv", "--kind", "orders", "--check"])

    said = capsys.readouterr().out
    assert code == 0
    assert said.startswith("3 orders\n")
    assert '"title": "Кружка"' in said


def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    code = main(["import", "file", "none.csv", "--kind", "orders", "--check"])

    assert code == 1
    assert capsys.readouterr().err == "none.csv: No such file or directory\n"


@pytest.mark.parametrize(
    "line",
    [
        "import source romashka --months 6 --kinds customers orders",
        "import file a.csv --kind orders --delimiter tab --column id=Номер --column total=Сумма",
        "import list",
        "import show 1",
        "import pause 1",
        "import resume 1",
        "import cancel 1 --url http://127.0.0.1:1 --key x --shop other",
    ],
)
def test_what_can_be_asked_for(line: str) -> None:
    assert parser().parse_args(line.split()).run


class _Played(Client):
    """A hub that loses answers: it takes rows and then breaks off."""

    def __init__(self) -> None:
        self.done = 0
        self.got: list[Any] = []
        self.losses = ["taken", "not taken"]
        self.between: Callable[[], Awaitable[Any]] | None = None

    async def patiently(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._run()

    async def wait(self, away: Away, until: float) -> None:
        pass

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        assert body is not None
        if between := self.between:
            self.between = None
            await between()
        if body["from"] != self.done:
            raise Refused(409, f"rows from {self.done} on are due")
        loss = self.losses.pop() if self.losses else ""
        if loss != "not taken":
            self.got += body["rows"]
            self.done += len(body["rows"])
        if loss:
            raise Away("ServerDisconnectedError")
        return self._run()

    def _run(self) -> dict[str, Any]:
        return {
            "id": "1",
            "state": "running",
            "kinds": ["order"],
            "total": 500,
            "done": self.done,
            "rate": None,
            "seconds_left": None,
            "faulty": 0,
            "faults": [],
        }


async def test_lost_answers_lose_and_double_no_row() -> None:
    hub = _Played()
    rows = [Row(n, {"id": str(n)}) for n in range(500)]

    run = await Sender(hub, await hub.patiently("GET", ""), Screen(io.StringIO())).send(iter(rows))

    assert run["done"] == 500
    assert [row["id"] for row in hub.got] == [str(n) for n in range(500)]


async def test_the_same_command_run_twice_brings_each_row_once() -> None:
    """Two of them take turns as they come; neither counts what the other has brought as its own place."""
    hub = _Played()
    hub.losses = []
    rows = [Row(n, {"id": str(n)}) for n in range(1000)]
    run = await hub.patiently("GET", "")
    slow, fast = (Sender(hub, dict(run), Screen(io.StringIO())) for _ in range(2))
    hub.between = lambda: fast.send(iter(rows[:600]))

    done = await slow.send(iter(rows))

    assert done["done"] == 1000
    assert [row["id"] for row in hub.got] == [str(n) for n in range(1000)]


def test_portions_are_no_larger_than_a_body_may_be() -> None:
    large = [Row(n, {"id": str(n), "text": "ж" * 100_000}) for n in range(10)]
    small = [Row(n, {"id": str(n)}) for n in range(450)]

    assert [len(portion) for portion in portions(iter(large))] == [3, 3, 3, 1]
    assert [len(portion) for portion in portions(iter(small))] == [200, 200, 50]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_rewrites_itself() -> None:
    run = {
        "kinds": ["order"],
        "done": 43_000,
        "total": 100_000,
        "rate": 1180.0,
        "seconds_left": 48,
        "faulty": 3,
    }
    terminal, file = _Terminal(), io.StringIO()

    for out in (terminal, file):
        with Screen(out) as screen:
            screen.show(run)

    line = "orders   43,000 of 100,000   43 %   1,180/s   0:48 left   3 faulty"
    assert terminal.getvalue() == f"\r{line}\x1b[K\n"
    assert file.getvalue() == f"{line}\n"
