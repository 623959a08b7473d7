"""What the tick gives to workers: nothing that they would only give back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import Category
from hub.accounts.limits import RateLimits
from hub.ids import new_id
from hub.notifications.handout import HandOut, waiting_routes
from hub.queue import BATCH, DueRoute, Lane
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive

TRANSACTIONAL, MARKETING = Category.TRANSACTIONAL, Category.MARKETING


class Backlog:
    """Deliveries that are due, written as intake writes them, and what of them is handed out."""

    def __init__(self, hub: Hub, drive: Drive) -> None:
        self.handed = Handed()
        queue: Any = self.handed
        self.hub = replace(hub, queue=queue)
        self.limits = RateLimits(drive.redis)
        self.shop = hub.shop("main").id

    async def add(
        self,
        count: int,
        *,
        route: str = "telegram/telegram//last",
        category: Category = TRANSACTIONAL,
        since: timedelta = timedelta(minutes=1),
        gives_up_in: timedelta = timedelta(hours=4),
        ordering_key: str | None = None,
        **more: Any,
    ) -> list[UUID]:
        """The oldest first."""
        rows = await self.hub.db.fetch(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                                  due_at, handout_at, give_up_at, route, ordering_key, attempt_count)
            SELECT uuidv7(), $1, uuidv7(), $8, $8, split_part($2, '/', 1), $3,
                   now(), now() - $4::interval + g * interval '1 microsecond', now() + $5, $2, $6, $9
              FROM generate_series(1, $7::int) AS g
            RETURNING id
            """,
            self.shop,
            route,
            category,
            since,
            gives_up_in,
            ordering_key,
            count,
            UUID(int=1),
            more.get("attempts", 0),
        )
        return [r["id"] for r in rows]

    async def turns(self, count: int = 1, category: Category = TRANSACTIONAL) -> list[UUID]:
        """What a new tick hands out in so many turns, in the order of its jobs."""
        return await self.turned(HandOut(self.hub, self.limits), count, category)

    async def turned(
        self, handing: HandOut, count: int = 1, category: Category = TRANSACTIONAL
    ) -> list[UUID]:
        self.handed.ids = []
        async with self.hub.db.acquire() as connection:
            for _ in range(count):
                await handing.turn(connection, [category])
        return self.handed.ids

    async def pause(
        self, *accounts: str, lasts: timedelta = timedelta(minutes=1), refused: bool = False
    ) -> None:
        for account in accounts:
            await self.hub.db.execute(
                """
                INSERT INTO account_state (shop_id, account, refused, reason, paused_until)
                VALUES ($1, $2, $3, 'silent', now() + $4)
                """,
                self.shop,
                account,
                refused,
                lasts,
            )
        await self.hub.accounts.refresh(self.hub.db)


class Handed:
    """Takes the place of the queue, of which nothing is left in Redis."""

    jobs = 0

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.due: dict[str, list[int]] = {}
        """By route, of how many each job is."""

    async def depth(self, _lane: Lane) -> int:
        return self.jobs

    async def hand_out(self, _lane: Lane, ids: Sequence[UUID]) -> None:
        self.ids += ids

    async def hand_out_due(self, _lane: Lane, due: DueRoute, counts: Sequence[int]) -> None:
        self.due.setdefault(due.route, []).extend(counts)


@pytest.fixture
async def backlog(hub: Hub, drive: Drive) -> Backlog:
    return Backlog(hub, drive)


async def test_what_waits_for_a_paused_account_is_not_touched(backlog: Backlog, hub: Hub) -> None:
    await backlog.add(2000)
    await backlog.pause("tg")
    before = await hub.db.fetch("SELECT id, xmin FROM delivery ORDER BY id")

    assert await backlog.turns(5) == []

    assert await hub.db.fetch("SELECT id, xmin FROM delivery ORDER BY id") == before


async def test_others_go_out_from_behind_it(backlog: Backlog) -> None:
    await backlog.add(3000)
    ours = await backlog.add(3, route="vk/vk//last", since=timedelta(0))
    await backlog.pause("tg")

    assert await backlog.turns() == ours


async def test_who_has_a_stand_in_does_not_wait(backlog: Backlog) -> None:
    ours = await backlog.add(3, route="email/email//last")
    await backlog.pause("mail")

    assert await backlog.turns() == ours


async def test_push_devices_wait_for_their_own_provider(backlog: Backlog) -> None:
    await backlog.add(3, route="push/push/fcm/last")
    ours = await backlog.add(3, route="push/push/webpush/last")
    await backlog.pause("fcm")

    assert await backlog.turns() == ours


async def test_what_the_version_before_wrote_goes_out(backlog: Backlog) -> None:
    ours = await backlog.add(3, route="")
    await backlog.pause("tg")

    assert await backlog.turns() == ours


async def test_what_gives_up_is_handed_out_all_the_same(backlog: Backlog) -> None:
    await backlog.add(3)
    ours = await backlog.add(3, gives_up_in=timedelta(seconds=-1))
    await backlog.pause("tg")

    assert await backlog.turns() == ours


async def test_what_gives_up_fills_no_lane(backlog: Backlog) -> None:
    """It may be a million at once, and is work for ourselves alone."""
    await backlog.add(3, gives_up_in=timedelta(seconds=-1))
    ours = await backlog.add(3, route="vk/vk//last")
    await backlog.pause("tg")
    backlog.handed.jobs = 60

    assert await backlog.turns() == ours


async def test_what_another_channel_can_do_sooner_does_not_wait(backlog: Backlog) -> None:
    """The pause lasts longer than this channel is given."""
    route = "telegram/telegram//next"
    ours = await backlog.add(700, route=route, gives_up_in=timedelta(seconds=30))
    await backlog.add(3, route=route, gives_up_in=timedelta(hours=1))
    await backlog.pause("tg", lasts=timedelta(minutes=1))

    assert await backlog.turns(2) == ours


async def test_where_only_a_person_can_help_the_next_channel_is_taken_at_once(
    backlog: Backlog,
) -> None:
    ours = await backlog.add(3, route="telegram/telegram//next")
    await backlog.add(3)
    await backlog.pause("tg", refused=True)

    assert await backlog.turns() == ours


async def test_an_account_that_comes_back_gets_a_few(backlog: Backlog) -> None:
    await backlog.add(2000)
    await backlog.pause("tg", lasts=timedelta(seconds=-1))

    assert 1 <= len(await backlog.turns(5)) <= 30


async def test_no_more_is_handed_out_than_the_account_takes(backlog: Backlog) -> None:
    """25 a second."""
    ours = await backlog.add(2000)
    handing = HandOut(backlog.hub, backlog.limits)

    first = await backlog.turned(handing, 4)
    await asyncio.sleep(0.4)
    more = await backlog.turned(handing, 1)

    assert 25 <= len(first) <= 100
    assert 5 <= len(more) <= 50
    assert first + more == ours[: len(first + more)]


async def test_calls_of_many_messages_are_counted_as_such(backlog: Backlog) -> None:
    """SMSC takes a hundred numbers in one call, and no rate of it is published."""
    ours = await backlog.add(2000, route="sms/phone//last")

    assert await backlog.turns(4) == ours


async def test_a_slow_account_gets_what_workers_say_that_they_can_give_it(
    backlog: Backlog,
) -> None:
    """And not what its reserve could take, which is not called."""
    await backlog.add(2000, route="email/email//last")
    mail = f"{backlog.shop}:mail"
    await backlog.limits.tell(new_id(), {mail: 3.0, f"{backlog.shop}:vk": 900.0})
    await backlog.limits.tell(new_id(), {mail: 1.0})
    assert await backlog.limits.told() == {mail: 4.0, f"{backlog.shop}:vk": 900.0}

    assert 4 <= len(await backlog.turns(3)) <= 20


async def test_of_a_slow_campaign_workers_claim_as_much_as_they_have_room_for(
    backlog: Backlog,
) -> None:
    """A job that has one message in hand for long takes the place of one that has many."""
    await backlog.add(2000, category=MARKETING, route="email/email//last")
    await backlog.limits.tell(new_id(), {f"{backlog.shop}:mail": 4.0})

    await backlog.turns(3, category=MARKETING)

    assert backlog.handed.due["email/email//last"] == [BATCH]


async def test_while_a_worker_is_full_little_is_added(backlog: Backlog) -> None:
    await backlog.add(5000, route="sms/phone//last")
    for account in ("smsc", "sms-ru"):
        await backlog.limits.note_full(f"{backlog.shop}:{account}")

    assert len(await backlog.turns(3)) == 300


async def test_what_has_waited_too_long_does_not_wait_for_the_pace_of_its_account(
    backlog: Backlog,
) -> None:
    over = await backlog.add(300, gives_up_in=timedelta(seconds=-1), since=timedelta(hours=4))
    late = await backlog.add(
        300, gives_up_in=timedelta(seconds=-1), route="telegram/telegram//next"
    )
    await backlog.limits.tell(new_id(), {f"{backlog.shop}:tg": 20.0})
    handing = HandOut(backlog.hub, backlog.limits)

    handed = await backlog.turned(handing)

    assert set(over) <= set(handed)
    assert len(handed) == len(set(handed))
    # Another channel comes next: these stay as long as they are worth telling.
    assert len(set(late) & set(handed)) < 100
    # Nor do they take anything from its pace.
    young = await backlog.add(5)
    await asyncio.sleep(0.4)
    assert set(young) & set(await backlog.turned(handing))


async def test_what_an_earlier_one_holds_back_takes_nobodys_place(
    backlog: Backlog, hub: Hub
) -> None:
    first, *held = await backlog.add(400, ordering_key="order-1")
    ours = await backlog.add(10, since=timedelta(0))

    assert await backlog.turns() == [first, *ours]

    later = await hub.db.fetchval(
        "SELECT count(*) FROM delivery WHERE id = ANY($1) AND handout_at > now()", held
    )
    assert later == len(held)


async def test_what_failed_together_is_handed_out_together(backlog: Backlog, hub: Hub) -> None:
    """Some providers recognise a repeat only of the whole call."""
    ours = await backlog.add(90, attempts=1)
    await hub.db.execute("UPDATE delivery SET handout_at = now() - interval '1 minute'")
    await backlog.pause("tg", lasts=timedelta(seconds=-1))

    assert set(await backlog.turns()) == set(ours)


async def test_lanes_do_not_know_of_each_other(backlog: Backlog) -> None:
    await backlog.add(100)
    await backlog.add(3, category=MARKETING, route="vk/vk//last")

    assert await backlog.turns(category=MARKETING) == []
    assert list(backlog.handed.due) == ["vk/vk//last"]


async def test_of_a_campaign_so_many_are_handed_out_and_none_is_written(
    backlog: Backlog, hub: Hub
) -> None:
    await backlog.add(2000, category=MARKETING, route="email/email//last")
    before = await hub.db.fetch("SELECT id, xmin FROM delivery ORDER BY id")

    assert await backlog.turns(3, category=MARKETING) == []

    counts = backlog.handed.due["email/email//last"]
    assert sum(counts) >= 1500
    assert max(counts) <= BATCH
    assert await hub.db.fetch("SELECT id, xmin FROM delivery ORDER BY id") == before


async def test_a_campaign_goes_at_the_pace_of_its_account(backlog: Backlog) -> None:
    """Telegram takes 25 a second."""
    await backlog.add(2000, category=MARKETING)

    await backlog.turns(3, category=MARKETING)

    assert 1 <= sum(backlog.handed.due["telegram/telegram//last"]) <= 100


async def test_of_a_campaign_what_waits_for_a_paused_account_is_left(backlog: Backlog) -> None:
    await backlog.add(2000, category=MARKETING)
    await backlog.pause("tg")

    assert await backlog.turns(3, category=MARKETING) == []
    assert backlog.handed.due == {}


async def test_of_a_campaign_what_is_not_alike_goes_by_its_id(backlog: Backlog) -> None:
    """Those that wait for each other, and those that failed together."""
    keyed = await backlog.add(
        1, category=MARKETING, route="email/email//last/apart", ordering_key="k"
    )
    tried = await backlog.add(3, category=MARKETING, route="email/email//next/apart", attempts=1)

    assert set(await backlog.turns(category=MARKETING)) == {*keyed, *tried}
    assert backlog.handed.due == {}


async def test_what_an_earlier_version_did_not_set_apart_is_found(backlog: Backlog) -> None:
    await backlog.add(20, category=MARKETING, route="email/email//last", since=timedelta(0))
    keyed = await backlog.add(1, category=MARKETING, route="email/email//last", ordering_key="k")
    tried = await backlog.add(3, category=MARKETING, route="email/email//last", attempts=1)

    assert set(await backlog.turns(category=MARKETING)) == {*keyed, *tried}
    assert backlog.handed.due


async def test_every_route_is_found(backlog: Backlog, hub: Hub) -> None:
    routes = ["", "email/email//last", "push/push/fcm/next", "sms/phone//last", "vk/vk//last"]
    for route in routes:
        await backlog.add(50, route=route)
    shops = list(hub.shops)

    found = await waiting_routes(hub.db, shops, [TRANSACTIONAL])

    assert [w.route for w in found] == routes
    assert await waiting_routes(hub.db, shops, [MARKETING]) == []
