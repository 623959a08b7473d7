"""Numbers of every process where Prometheus looks for them: under one supervisor, and in a fleet."""

import os
import signal
import socket
import sys
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import pytest

from tests.e2e.fleet import Role, command, role_environ
from tests.e2e.process import Up, call, eventually, up

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

MESSAGE = {
    "recipient": {"address": {"channel": "email", "value": "anna@example.com"}},
    "content": {"subject": "Hello", "text": "It works."},
}
SENT = 'vestnik_attempts_total{account="sandbox-email",channel="email",outcome="accepted",provider="sandbox",shop="main"}'
ASKED = 'vestnik_http_requests_total{method="POST",route="notifications.create",status="202"}'


def numbers(url: str) -> dict[str, float]:
    with urlopen(f"{url}/metrics", timeout=5) as response:
        lines = [line for line in response.read().decode().splitlines() if line[:1] != "#"]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def send(hub: Up, url: str, key: str) -> None:
    known = numbers(url).get(SENT, 0)
    call(f"{url}/v1/notifications", key, MESSAGE)
    eventually(lambda: numbers(url).get(SENT, 0) == known + 1)


def test_the_api_shows_what_workers_counted_and_a_restart_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "metrics"
    with up(tmp_path / "data") as hub:
        url, key = hub.ready(), hub.key()
        send(hub, url, key)
        assert numbers(url)["vestnik_provider_call_seconds_count" + _CALLS] == 1
        files = {file.name for file in folder.iterdir()}

        for role in ("worker", "api"):
            pid = hub.pids()[role]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda role=role, pid=pid: hub.pids().get(role, pid) != pid)
        eventually(lambda: _answers(url))
        send(hub, url, key)

        found = numbers(url)
        assert (found[SENT], found[ASKED]) == (2, 2)
        assert found['vestnik_accounts_paused{shop="main"}'] == 0
        assert found["process_resident_memory_bytes"] > 0
        # The dead leave nothing that would pile up.
        assert {file.name for file in folder.iterdir()} == files
        hub.stop()

    with up(tmp_path / "data") as hub:
        url = hub.ready()

        assert SENT not in numbers(url)
        send(hub, url, key)
        assert numbers(url)[SENT] == 1


_CALLS = '{account="sandbox-email",provider="sandbox",shop="main"}'


def _answers(url: str) -> bool:
    try:
        return bool(numbers(url))
    except OSError:
        return False


async def test_a_worker_of_a_fleet_serves_its_own(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE DATABASE numbers")
    await connection.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    environ = role_environ(database_url.replace("/vestnik?", "/numbers?"), redis_url)
    command(tmp_path, environ, "migrate")
    environ = {**environ, "VESTNIK_METRICS_LISTEN": listen}
    worker = Role(tmp_path, environ, "worker", "worker.log")
    try:
        eventually(lambda: _answers(f"http://{listen}"))
        assert "process_resident_memory_bytes" in numbers(f"http://{listen}")

        second = Role(tmp_path, environ, "worker", "second.log")

        assert second._process.wait(20) == 1
        assert f"hub.metrics_listen = {listen!r}: cannot listen there" in second.log.read_text()
        second.stop()
    finally:
        worker.stop()
