"""A backup of a hub that is sending, and the hub that is made of it after the first one was lost."""

import asyncio
import re
import stat
import subprocess
import sys
from collections import Counter
from uuid import UUID

import pytest

from hub.preferences import choices
from hub.tokens import Signer
from tests.e2e.process import Up, clean_environ, status
from tests.e2e.sending import Crowd, Place, SlowTelegram, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]


async def vestnik(place: Place, *arguments: str) -> str:
    """What it says on stdout."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hub", *arguments],
        cwd=place.folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_a_restored_hub_has_all_that_was_accepted_and_sends_none_of_it_twice(
    place: Place, telegram: SlowTelegram, crowd: Crowd
) -> None:
    file, second = place.folder / "hub.tar", place.folder / "second"
    # Each takes a while, so that at the moment of the backup most have not left and some are under way.
    telegram.answers_after = 2.0
    await crowd.tell(range(200))
    await crowd.tell([900], send_at="2099-01-01T00:00:00Z")
    _, _, person = await crowd.call("PUT", "/v1/contacts/somebody", {})
    old = (place.folder / "data" / "secret").read_text().strip()
    link = f"/p/{choices.token_of(Signer(old), UUID(person['id']))}"
    async with crowd.calling() as calls:
        await crowd.arrived(10)
        before = list(crowd.ids)

        await vestnik(place, "backup", str(file), "--data", "data")

        await eventually(
            lambda: calls.answers[-1].status == 202 and len(crowd.ids) > len(before), 5
        )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    telegram.answers_after = 0.0
    lost = list(crowd.ids)
    await crowd.arrived(len(lost) - 1)
    place.kill_everything()

    said = await vestnik(place, "restore", str(file), "--data", str(second))
    assert "vestnik held --send TIME" in said
    await vestnik(place, "secrets", "rotate", "--data", str(second))
    place.up = Up(second)
    place.url = place.up.ready()

    crowd.ids = before
    kept = {n["id"]: n for n in await crowd.notifications()}
    waiting = [n for n in kept.values() if n["status"] == "queued"]
    assert len(waiting) >= 20
    assert {d["reason"] for n in waiting for d in n["deliveries"]} == {"held"}
    # What came in between is there, too.
    shown = re.search(r"transactional +(\d+)", await vestnik(place, "held", "--data", str(second)))
    assert shown is not None
    assert int(shown[1]) >= len(waiting)
    # New ones go out as ever, and links of the first hub still open.
    crowd.ids = []
    await crowd.tell([901])
    await crowd.ended("sent", within=15)
    assert status(place.url + link) == 200

    said = await vestnik(place, "held", "--send", "none", "--data", str(second))
    assert said == f"sent: 0, not sent: {shown[1]}\n"
    crowd.ids = before
    ended = Counter(n["status"] for n in await crowd.notifications())
    assert set(ended) <= {"sent", "unknown", "scheduled"}
    assert ended["unknown"] == len(waiting)
    assert ended["scheduled"] == 1
    assert max(Counter(sent.text for sent in telegram.sent).values()) == 1
