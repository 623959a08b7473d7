"""One command, everything running: starts, crashes, restarts and stops as its user sees them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.process import alive, call, clean_environ, eventually, status, up

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

PARTS = {"postgres", "redis", "api", "worker", "bots"}
MESSAGE = {
    "recipient": {"address": {"channel": "email", "value": "anna@example.com"}},
    "content": {"subject": "Hello", "text": "It works."},
}


def test_a_first_start_is_ready_soon_and_gives_a_key(tmp_path: Path) -> None:
    began = time.monotonic()
    with up(tmp_path / "новая папка") as hub:
        url = hub.ready()
        took = time.monotonic() - began

        assert status(f"{url}/readyz") == 200
        assert set(hub.all_pids()) == PARTS
        assert call(f"{url}/v1/sandbox/messages", hub.key()) == {"items": [], "next_cursor": None}
    assert took < 15


def test_the_line_it_offers_sends_a_message(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url, key = hub.ready(), hub.key()
        eventually(lambda: any("/docs" in line for line in hub.said))
        said = "".join(hub.said)
        lines = said[said.index("  curl") :].replace("\\\n", " ").splitlines()
        send, read = [line for line in lines if line.strip().startswith("curl")]

        sent = subprocess.run(["sh", "-c", f"{send} -sS"], capture_output=True, check=True)
        assert json.loads(sent.stdout)["status"] == "queued"
        eventually(lambda: call(f"{url}/v1/sandbox/messages", key)["items"])

        found = subprocess.run(["sh", "-c", f"{read} -sS"], capture_output=True, check=True)
        assert json.loads(found.stdout)["items"][0]["text"] == "It works."


def test_a_second_start_keeps_everything_and_gives_no_key(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url, key = hub.ready(), hub.key()
    with up(tmp_path / "data") as hub:
        url = hub.ready()

        assert call(f"{url}/v1/sandbox/messages", key)["items"] == []
    assert not any("vst_" in line for line in hub.said)


def test_as_long_as_nobody_can_sign_in_each_start_gives_a_link_of_its_own(tmp_path: Path) -> None:
    links = []
    for _ in range(2):
        with up(tmp_path / "data") as hub:
            url = hub.ready()
            eventually(lambda hub=hub: any("/console/first/" in line for line in hub.said))
            links.append(next(line.strip() for line in hub.said if "/console/first/" in line))
            assert links[-1].startswith(url)
            opened = [status(link.replace(link.partition("/console")[0], url)) for link in links]
    assert opened == [404, 200]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


@pytest.mark.parametrize("name", sorted(PARTS))
def test_what_is_killed_comes_back_within_10_s(tmp_path: Path, name: str) -> None:
    with up(tmp_path / "data") as hub:
        url, key, pid = hub.ready(), hub.key(), hub.all_pids()[name]

        os.kill(pid, signal.SIGKILL)

        eventually(lambda: hub.pids().get(name, pid) != pid, 10)
        eventually(lambda: status(f"{url}/readyz") == 200, 15)
        call(f"{url}/v1/notifications", key, MESSAGE)
        eventually(lambda: call(f"{url}/v1/sandbox/messages", key)["items"])


def test_after_kill_9_nothing_stays_behind_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url, key, pids = hub.ready(), hub.key(), hub.all_pids()
        sent = call(f"{url}/v1/notifications", key, MESSAGE)
        hub.kill()
    eventually(lambda: not [pid for pid in pids.values() if alive(pid)], 20)

    with up(tmp_path / "data") as hub:
        url = hub.ready()

        eventually(lambda: call(f"{url}/v1/sandbox/messages", key)["items"], 10)
        assert call(f"{url}/v1/notifications/{sent['id']}", key)["status"] == "sent"


def test_after_kill_9_of_everything_it_starts_again_at_once(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        hub.ready()
        for pid in hub.all_pids().values():
            os.kill(pid, signal.SIGKILL)
        hub.kill()

    with up(tmp_path / "data") as hub:
        assert status(f"{hub.ready()}/readyz") == 200


def test_it_comes_back_on_a_fixed_port_right_after_kill_9(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    for _ in range(2):
        with up(tmp_path / "data", VESTNIK_LISTEN=listen) as hub:
            assert hub.ready() == f"http://{listen}"
            hub.kill()


def test_a_second_up_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        hub.ready()

        with up(tmp_path / "data") as second:
            assert second.end() == 1

        assert f"already in use by another vestnik (process {hub.process.pid})" in second.said[-1]
        assert hub.process.poll() is None


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


def test_keys_can_be_made_beside_it(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url = hub.ready()
        made = subprocess.run(
            [sys.executable, "-m", "hub", "keys", "create", "--scope", "read"],
            env=clean_environ() | {"VESTNIK_DATA": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=True,
        )

        assert call(f"{url}/v1/sandbox/messages", made.stdout.strip())["items"] == []


def test_no_secret_stands_in_a_command_line_or_in_what_it_says(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        hub.ready()
        servers = json.loads((tmp_path / "data" / "servers.json").read_text())
        secret = (tmp_path / "data" / "secret").read_text().strip()
        lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in hub.all_pids().values()]

    passwords = [url.split("@")[0].rpartition(":")[2] for url in servers.values()]
    text = "".join([*lines, *hub.said])
    assert not [one for one in [secret, *passwords] if one in text]


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
