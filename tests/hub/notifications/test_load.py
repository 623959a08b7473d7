"""A slow account: a worker has of it what soon goes, and the rest keeps its place in the line."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from channels.base import Channel, Limits, Message
from hub.accounts.book import LiveAccount
from hub.ids import new_id
from hub.notifications import claims, delivery, load
from hub.notifications.load import Load
from hub.queue import BATCH, Lane
from hub.resources import Hub
from hub.worker.main import work
from tests.hub.notifications.conftest import Drive, Shop, notification
from tests.hub.notifications.providers import Providers
from tests.hub.notifications.test_meanwhile import AGREED, plain_mail, slow

AT_ONCE = 4


class _Adapter:
    """Takes so many messages in a call."""

    def __init__(self, in_a_call: int) -> None:
        self._in_a_call = in_a_call

    def split(self, messages: list[Message]) -> list[list[Message]]:
        step = self._in_a_call
        return [messages[i : i + step] for i in range(0, len(messages), step)]


def account(in_a_call: int = 1) -> LiveAccount:
    adapter: Any = _Adapter(in_a_call)
    return LiveAccount(1, "a", Channel.EMAIL, "x", adapter, Limits(concurrency=AT_ONCE))


def letters(count: int) -> list[Message]:
    return [Message(key=str(i), to=str(i), text="-") for i in range(count)]


@pytest.mark.parametrize(
    ("seconds", "in_a_call", "most"),
    [
        (5, 1, 2 * AT_ONCE),
        (0.5, 1, 40),
        (0.1, 1, 200),
        # Four at once that take 10 ms each: whatever a worker has in hand is gone in no time.
        (0.01, 1, None),
        (5, 500, 2 * AT_ONCE * 500),
        (0.5, 500, None),
    ],
)
def test_of_a_slow_account_as_much_is_in_hand_as_soon_goes(
    seconds: float, in_a_call: int, most: int | None
) -> None:
    assert Load(lambda _account: seconds).most(account(in_a_call)) == most


def test_the_next_are_claimed_once_there_is_room_for_some() -> None:
    of_worker, slow_one = Load(lambda _account: 5.0), account()
    hold = of_worker.take(Lane.BULK, slow_one, 2 * AT_ONCE)
    assert of_worker.room(Lane.BULK, slow_one) == 0
    # Each lane has a line of its own.
    assert of_worker.room(Lane.SECURITY, slow_one) == 2 * AT_ONCE

    hold.leave(1)
    assert of_worker.room(Lane.BULK, slow_one) == 0
    hold.leave(1)
    assert of_worker.room(Lane.BULK, slow_one) == 2
    hold.leave_all()
    hold.leave(1)
    assert of_worker.room(Lane.BULK, slow_one) == 2 * AT_ONCE


def test_of_an_account_that_nobody_knows_yet_one_job_is_claimed() -> None:
    of_worker, unknown = Load(lambda _account: None), account()
    assert of_worker.room(Lane.BULK, unknown) == BATCH
    of_worker.take(Lane.BULK, unknown, BATCH)
    assert of_worker.room(Lane.BULK, unknown) == 0
    # What came by its id goes its way.
    assert of_worker.over(Lane.BULK, unknown) == 0


def test_messages_that_are_not_alike_fill_more_calls() -> None:
    of_worker, many = Load(lambda _account: 5.0), account(100)

    of_worker.split(many, [[letter] for letter in letters(10)])
    assert of_worker.most(many) == 2 * AT_ONCE
    # One by itself tells nothing.
    of_worker.split(many, [letters(1)])
    assert of_worker.most(many) == 2 * AT_ONCE
    of_worker.split(many, [letters(10)])
    assert of_worker.most(many) == 2 * AT_ONCE * 100


@pytest.mark.parametrize("category", ["marketing", "transactional"])
async def test_what_waits_for_a_slow_account_is_claimed_about_once(
    category: str, hub: Hub, shop: Shop, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not again and again to be given back. Before, it was about twenty times, of a longer line a thousand."""
    slow(monkeypatch, plain_mail(hub), 0.5)
    # All of it a few times shorter than it is.
    monkeypatch.setattr(delivery, "_LOOKED_AT_FOR", 3.0)
    monkeypatch.setattr(load, "_SOON", timedelta(seconds=1))
    claimed = Counter[str]()
    for name in ("claim", "claim_due"):
        counted(monkeypatch, name, claimed)
    await accepted(shop, 300, category)
    stopping = asyncio.Event()
    task = asyncio.create_task(work(hub, list(Lane), stopping, worker=new_id()))
    sent = providers.smtp.sent
    try:
        # By then it is known how slow it is.
        await arrived(sent, 30)
        before = claimed.total()
        await arrived(sent, 70)
        assert claimed.total() - before <= 100
    finally:
        stopping.set()
        await task
    assert len({s.to for s in sent}) == len(sent)


def counted(monkeypatch: pytest.MonkeyPatch, name: str, claimed: Counter[str]) -> None:
    claim = getattr(claims, name)

    async def counting(*given: Any) -> Any:
        found = await claim(*given)
        claimed[name] += len(found)
        return found

    monkeypatch.setattr(claims, name, counting)


async def accepted(shop: Shop, count: int, category: str) -> None:
    people = [{"external_id": f"p{i}", "role": "buyer", "consents": AGREED} for i in range(count)]
    asked = [
        notification(
            person | {"addresses": {"email": f"{person['external_id']}@example.com"}},
            content={"subject": "s", "text": "x"},
            category=category,
            channels=["email"],
        )
        for person in people
    ]
    answer = await shop.api.post("/v1/notifications/batch", {"notifications": asked})
    assert {r["status"] for r in answer.json["results"]} == {"queued"}


async def arrived(sent: list[Any], count: int) -> None:
    async with asyncio.timeout(60):
        while len(sent) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_goes_back_for_want_of_room_keeps_its_place(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    plain_mail(hub)
    first = (await shop.send(channels=["email"]))["id"]
    second = (await shop.send("boris", channels=["email"]))["id"]
    [row] = await drive.rows(first)
    [claimed] = await claims.claim(hub.db, [row["id"]], drive.worker)

    await claims.give_back(hub.db, {claimed.id: delivery._AT_ONCE}, drive.worker)

    ids = await hub.db.fetch(
        "SELECT notification_id FROM delivery WHERE status = 'queued' ORDER BY due_at"
    )
    assert [str(r["notification_id"]) for r in ids] == [first, second]
    [after] = await drive.rows(first)
    assert after["due_at"] == after["handout_at"] == row["due_at"]
