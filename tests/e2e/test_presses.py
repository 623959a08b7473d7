"""Presses of buttons, with the processes that handle them killed in between: none is lost, none counts twice."""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.e2e.process import Up, call, eventually, up

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

ORDERS = range(20)


def _put(url: str, key: str, body: Any) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(url, json.dumps(body).encode(), headers, method="PUT")
    with urlopen(request, timeout=10) as response:
        assert response.status in (200, 201)


def _place(url: str, key: str) -> None:
    storekeeper = {
        "role": "warehouse",
        "name": "Анна",
        "warehouses": ["north"],
        "addresses": {"telegram": "101"},
    }
    _put(f"{url}/v1/contacts/anna", key, storekeeper)
    _put(f"{url}/v1/contacts/seller", key, {"role": "seller"})
    line = {
        "id": "1",
        "title": "Чайник",
        "quantity": 1,
        "seller": {"external_id": "seller"},
        "warehouse": {"external_id": "north"},
    }
    for number in ORDERS:
        body = {"number": str(number), "status": "placed", "lines": [line]}
        _put(f"{url}/v1/orders/{number}", key, body)


def _questions(url: str, key: str) -> list[dict[str, Any]]:
    found = call(f"{url}/v1/sandbox/messages?channel=telegram&to=101&limit=200", key)["items"]
    return [message for message in found if message["delivery_id"] and message["buttons"]]


def _kill(hub: Up, *names: str) -> None:
    for name, pid in hub.pids().items():
        if name.partition("-")[0] in names:
            # The one before may not have been replaced yet.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_no_press_is_lost_whoever_is_killed(tmp_path: Path) -> None:
    with up(tmp_path / "data") as hub:
        url, key = hub.ready(), hub.key()
        _place(url, key)
        hub.all_pids()
        eventually(lambda: len(_questions(url, key)) == len(ORDERS), 30)

        for count, message in enumerate(_questions(url, key)):
            data = next(
                b["data"] for row in message["buttons"] for b in row if b["text"] == "✅ Есть"
            )
            for _ in range(2):
                call(f"{url}/v1/sandbox/messages/{message['id']}/press", key, {"data": data})
            if count % 7 == 3:
                _kill(hub, "bots", "worker")

        def answered() -> bool:
            items = call(f"{url}/v1/stock-requests?status=answered&limit=200", key)["items"]
            return len(items) == len(ORDERS)

        eventually(answered, 60)
        eventually(lambda: not _questions_open(url, key), 60)
        for number in ORDERS:
            order = call(f"{url}/v1/orders/{number}", key)
            assert order["status"] == "confirmed"
            assert [change["status"] for change in order["history"]].count("confirmed") == 1


def _questions_open(url: str, key: str) -> bool:
    """Whether a message still offers what was answered."""
    texts = [b["text"] for m in _questions(url, key) for row in m["buttons"] for b in row]
    return "✅ Есть" in texts
