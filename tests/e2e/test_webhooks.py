"""Callbacks outlive everything: what was accepted is told after a power cut, and within seconds of the start."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.process import call
from tests.e2e.sending import running
from tests.hub.webhooks.backend import Backend
from tests.simulators.base import Fault

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

_MANY = 20


async def test_killed_between_the_event_and_the_call_nothing_is_lost(tmp_path: Path) -> None:
    async with Backend() as backend:
        # Some are in hand when everything dies, the others wait.
        backend.fault = Fault(hang=True)
        with running(tmp_path, VESTNIK_OUTGOING_ALLOW="127.0.0.0/8") as place:
            hook = {"url": f"{backend.url}/hook", "events": ["notification.undeliverable"]}
            await asyncio.to_thread(call, f"{place.url}/v1/webhooks", place.key, hook)
            nobody = {
                "content": {"text": "x"},
                "recipient": {"external_id": "nobody", "name": "No address"},
            }
            asked = {"notifications": [nobody | {"meta": {"n": n}} for n in range(_MANY)]}
            url = f"{place.url}/v1/notifications/batch"
            await asyncio.to_thread(call, url, place.key, asked)
            place.kill_everything()
            backend.fault = None

            await asyncio.to_thread(place.start)
            began = time.monotonic()
            async with asyncio.timeout(30):
                while len({one.id for one in backend.calls}) < _MANY:
                    backend.called.clear()
                    await backend.called.wait()

        assert time.monotonic() - began < 10
        assert {one.json["data"]["meta"]["n"] for one in backend.calls} == set(range(_MANY))
