"""One command, everything running: starts, crashes, restarts and stops as its user sees them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.e2e.process import Up, alive, call, clean_environ, eventually, status, up

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

PARTS = {"postgres", "redis", "api", "worker", "bots"}
MESSAGE = {
    "recipient": {"address": {"channel": "email", "value": "anna@example.com"}},
    "content": {"subject": "Hello", "text": "It works."},
}


@dataclass(frozen=True)
class Running:
    hub: Up
    url: str
    key: str
    took: float
    """Seconds until it was ready."""
    messages: Any
    """What the key led to then."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A first start, for all tests that let it run on."""
    folder: Path = tmp_path_factory.mktemp("running")
    began = time.monotonic()
    with up(folder / "новая папка") as hub:
        url = hub.ready()
        took, key = time.monotonic() - began, hub.key()
        yield Running(hub, url, key, took, call(f"{url}/v1/sandbox/messages", key))


def test_a_first_start_is_ready_soon_and_gives_a_key(running: Running) -> None:
    assert status(f"{running.url}/readyz") == 200
    assert set(running.hub.all_pids()) == PARTS
    assert running.messages == {"items": [], "next_cursor": None}
    # Two full cores with other tests that start meanwhile take 15.
    assert running.took < 30


def test_the_line_it_offers_sends_a_message(running: Running) -> None:
    hub, url, key = running.hub, running.url, running.key
    eventually(lambda: any("/docs" in line for line in hub.said))
    said = "".join(hub.said)
    lines = said[said.index("  curl") :].replace("\\\n", " ").splitlines()
    send, read = [line for line in lines if line.strip().startswith("curl")]

    sent = subprocess.run(["sh", "-c", f"{send} -sS"], capture_output=True, check=True)
    told = json.loads(sent.stdout)
    assert told["status"] == "queued"
    eventually(lambda: call(f"{url}/v1/notifications/{told['id']}", key)["status"] == "sent")

    found = subprocess.run(["sh", "-c", f"{read} -sS"], capture_output=True, check=True)
    assert json.loads(found.stdout)["items"][0]["text"] == "It works."


def test_a_second_up_on_the_same_data_is_refused(running: Running) -> None:
    with up(running.hub.data) as second:
        assert second.end() == 1

    process = running.hub.process
    assert f"already in use by another vestnik (process {process.pid})" in second.said[-1]
    assert process.poll() is None


def test_keys_can_be_made_beside_it(running: Running) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "hub", "keys", "create", "--scope", "read"],
        env=clean_environ() | {"VESTNIK_DATA": str(running.hub.data)},
        capture_output=True,
        text=True,
        check=True,
    )

    own = call(f"{running.url}/v1/sandbox/messages", running.key)
    assert call(f"{running.url}/v1/sandbox/messages", made.stdout.strip()) == own


def test_no_secret_stands_in_a_command_line_or_in_what_it_says(running: Running) -> None:
    data = running.hub.data
    servers = json.loads((data / "servers.json").read_text())
    secret = (data / "secret").read_text().strip()
    pids = running.hub.all_pids().values()
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]

    passwords = [url.split("@")[0].rpartition(":")[2] for url in servers.values()]
    text = "".join([*lines, *running.hub.said])
    assert not [one for one in [secret, *passwords] if one in text]


@pytest.mark.parametrize("name", sorted(PARTS))
def test_what_is_killed_comes_back_within_10_s(running: Running, name: str) -> None:
    hub, url, key = running.hub, running.url, running.key
    pid = hub.all_pids()[name]

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: hub.pids().get(name, pid) != pid, 10)
    eventually(lambda: status(f"{url}/readyz") == 200, 15)
    sent = call(f"{url}/v1/notifications", key, MESSAGE)
    eventually(lambda: call(f"{url}/v1/notifications/{sent['id']}", key)["status"] == "sent")
    eventually(lambda: set(hub.pids()) == PARTS)


@dataclass(frozen=True)
class Restarted:
    """Killed and started again at once on the address that it had."""

    hub: Up
    key: str
    address: str
    addresses: list[str]
    """What its ready lines named."""
    links: list[str]
    """What each start offered to the first operator."""


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    data: Path = tmp_path_factory.mktemp("restarted") / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with up(data, VESTNIK_LISTEN=listen) as first:
        url, key, link = first.ready(), first.key(), _link(first)
        first.kill()
    with up(data, VESTNIK_LISTEN=listen) as hub:
        urls = [url, hub.ready()]
        yield Restarted(hub, key, f"http://{listen}", urls, [link, _link(hub)])


def _link(hub: Up) -> str:
    eventually(lambda: any("/console/first/" in line for line in hub.said))
    return next(line.strip() for line in hub.said if "/console/first/" in line)


def test_a_second_start_keeps_everything_and_gives_no_key(restarted: Restarted) -> None:
    assert call(f"{restarted.address}/v1/sandbox/messages", restarted.key)["items"] == []
    assert not any("vst_" in line for line in restarted.hub.said)


def test_as_long_as_nobody_can_sign_in_each_start_gives_a_link_of_its_own(
    restarted: Restarted,
) -> None:
    assert all(link.startswith(restarted.address) for link in restarted.links)
    assert [status(link) for link in restarted.links] == [404, 200]


def test_it_comes_back_on_a_fixed_port_right_after_kill_9(restarted: Restarted) -> None:
    assert restarted.addresses == [restarted.address] * 2


@pytest.mark.parametrize(
    "number",
    # A stop by SIGTERM in the middle of its work is in test_crashes.
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, marks=pytest.mark.soak),
    ],
)
def test_a_signal_stops_all_of_it(tmp_path: Path, number: int) -> None:
    with up(tmp_path / "data") as hub:
        url, pids = hub.ready(), hub.all_pids()
        began = time.monotonic()

        assert hub.stop(number) == 0

        assert time.monotonic() - began < 20
        assert not [name for name, pid in pids.items() if alive(pid)]
        assert status(url) == 0
        assert not any("Traceback" in line for line in hub.said)
    assert not (tmp_path / "data" / "servers.json").exists()


def test_a_signal_during_the_start_stops_it(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        eventually((tmp_path / "data" / "postgres" / "initdb.log").exists)

        assert hub.stop() == 0

        assert not any("Traceback" in line for line in hub.said)
    with up(tmp_path / "data") as hub:
        assert hub.ready()


# As the next one, beside messages on their way: test_crashes.
@pytest.mark.soak
def test_after_kill_9_nothing_stays_behind_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url, key, pids = hub.ready(), hub.key(), hub.all_pids()
        sent = call(f"{url}/v1/notifications", key, MESSAGE)
        hub.kill()
    eventually(lambda: not [pid for pid in pids.values() if alive(pid)], 20)

    with up(tmp_path / "data") as hub:
        url = hub.ready()

        eventually(lambda: call(f"{url}/v1/sandbox/messages", key)["items"], 10)
        # What came of it is written down a moment after it went.
        eventually(lambda: call(f"{url}/v1/notifications/{sent['id']}", key)["status"] == "sent")


@pytest.mark.soak
def test_after_kill_9_of_everything_it_starts_again_at_once(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        hub.ready()
        for pid in hub.all_pids().values():
            os.kill(pid, signal.SIGKILL)
        hub.kill()

    with up(tmp_path / "data") as hub:
        assert status(f"{hub.ready()}/readyz") == 200


def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with up(tmp_path / "data", VESTNIK_LISTEN=listen) as hub:
            code = hub.end()

    assert code == 1
    assert hub.said == [
        f"cannot listen on {listen}: another program listens there already;"
        " choose with VESTNIK_LISTEN\n"
    ]


def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with up(tmp_path / "data", VESTNIK_RATE_LIMIT="lots") as hub:
        assert hub.end() == 2

    assert len(hub.said) == 1
    assert "hub.rate_limit = 'lots'" in hub.said[0]


async def test_external_servers_are_used_where_named(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE DATABASE external")
    finally:
        await connection.close()
    url = database_url.replace("/vestnik?", "/external?")

    with up(tmp_path / "data", VESTNIK_DATABASE_URL=url, VESTNIK_REDIS_URL=redis_url) as hub:
        hub.ready()

        assert set(hub.all_pids()) == PARTS - {"postgres", "redis"}
