"""The rows behind edits in place: asked for again meanwhile they stay, and what looks otherwise by itself comes
back at its time."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import Accepted, Channel, Message, Outcome
from hub.db.pool import Db
from hub.ids import new_id
from hub.notifications.edits import Editor, request_edits
from hub.notifications.interactive import Asking, Parts, render_all
from hub.notifications.model import ContactFacts
from hub.resources import Hub

ABOUT = new_id()


class Counted:
    """A question that shows how often it was rendered."""

    kind = "stock"

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.until: datetime | None = None
        self.times = 0
        self.ask_again = False

    async def render(self, db: Db, asked: Sequence[Asking]) -> Mapping[UUID, Parts]:
        self.times += 1
        if self.ask_again:
            self.ask_again = False
            await request_edits(self.hub.db, ABOUT)
        return {one.id: Parts(f"{self.times}", until=self.until) for one in asked}


@pytest.fixture
async def message(hub: Hub) -> UUID:
    """A message that the sandbox carried and that asked about `ABOUT`."""
    shop_id = hub.shop("other").id
    account = hub.accounts.of(shop_id, Channel.TELEGRAM)[0]
    contact, notification, delivery = new_id(), new_id(), new_id()
    [outcome] = await account.adapter.send([Message(str(delivery), "42", "?")])
    kept = UUID(getattr(outcome, "provider_id", ""))
    await hub.db.execute(
        "INSERT INTO contact (id, shop_id, role) VALUES ($1, $2, 'warehouse')", contact, shop_id
    )
    await hub.db.execute(
        "INSERT INTO address (id, shop_id, contact_id, kind, value, digest)"
        " VALUES ($1, $2, $1, 'telegram', '42', 'x')",
        contact,
        shop_id,
    )
    await hub.db.execute(
        """
        INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped,
                                  interaction)
        VALUES ($1, $2, $3, 'transactional', 'first', 'sent', '[]', '[]', $4)
        """,
        notification,
        shop_id,
        contact,
        {"kind": "stock", "id": str(ABOUT)},
    )
    await hub.db.execute(
        """
        INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                              status, account, provider, provider_id, due_at, handout_at, give_up_at)
        VALUES ($1, $2, $3, $4, $4, 'telegram', 'transactional', 'sent', $5, 'sandbox', $6, now(),
                now(), now())
        """,
        delivery,
        shop_id,
        notification,
        contact,
        account.name,
        str(kept),
    )
    return kept


async def _text(hub: Hub, message: UUID) -> str:
    text: str = await hub.db.fetchval("SELECT text FROM sandbox_message WHERE id = $1", message)
    return text


async def _waiting(hub: Hub) -> list[bool]:
    """Of each row that is left, whether it is due."""
    rows = await hub.db.fetch("SELECT due_at <= now() AS due FROM message_edit")
    return [row["due"] for row in rows]


async def test_a_message_is_edited_and_the_row_is_gone(hub: Hub, message: UUID) -> None:
    await request_edits(hub.db, ABOUT)

    assert await Editor(hub, [Counted(hub)]).work_off() == 1

    assert await _text(hub, message) == "1"
    assert await _waiting(hub) == []


async def test_what_was_asked_for_while_it_was_edited_is_not_taken_for_done(
    hub: Hub, message: UUID
) -> None:
    question = Counted(hub)
    question.ask_again = True
    editor = Editor(hub, [question])
    await request_edits(hub.db, ABOUT)

    await editor.work_off()
    assert await _waiting(hub) == [True]
    await editor.work_off()

    assert await _text(hub, message) == "2"
    assert await _waiting(hub) == []


async def test_what_looks_otherwise_later_comes_back_then_or_when_something_happens(
    hub: Hub, message: UUID
) -> None:
    question = Counted(hub)
    question.until = datetime.now(UTC) + timedelta(minutes=5)
    editor = Editor(hub, [question])
    await request_edits(hub.db, ABOUT)
    await editor.work_off()
    assert await _waiting(hub) == [False]

    await request_edits(hub.db, ABOUT)
    assert await _waiting(hub) == [True]
    await editor.work_off()

    assert await _text(hub, message) == "2"


async def test_of_two_editors_one_has_the_message(hub: Hub, message: UUID) -> None:
    await request_edits(hub.db, ABOUT)
    editors = [Editor(hub, [Counted(hub)]) for _ in range(4)]

    done = await asyncio.gather(*(editor.work_off() for editor in editors))

    assert sorted(done) == [0, 0, 0, 1]


async def test_no_more_is_taken_than_is_edited_at_once(hub: Hub) -> None:
    """What waited for a place would be another's by the time its turn came, and be shown as it was before."""
    await hub.db.execute(
        "INSERT INTO message_edit (delivery_id, shop_id) SELECT uuidv7(), $1 FROM generate_series(1, 25)",
        hub.shop("other").id,
    )

    assert [await Editor(hub, []).work_off() for _ in range(4)] == [10, 10, 5, 0]


async def test_a_provider_that_does_not_answer_holds_up_no_other_message(
    hub: Hub, message: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = hub.accounts.of(hub.shop("other").id, Channel.TELEGRAM)[0]
    answers = asyncio.Event()

    async def silent(*_: Any) -> Outcome:
        await answers.wait()
        return Accepted()

    monkeypatch.setattr(type(account.adapter), "edit", silent)
    await request_edits(hub.db, ABOUT)
    await hub.db.execute(
        "INSERT INTO message_edit (delivery_id, shop_id) SELECT uuidv7(), $1 FROM generate_series(1, 25)",
        hub.shop("other").id,
    )

    editing = asyncio.create_task(Editor(hub, [Counted(hub)]).run())
    try:
        async with asyncio.timeout(5):
            while await _waiting(hub) != [False]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            answers.set()
            while await _waiting(hub):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        editing.cancel()
        await asyncio.wait([editing])


async def test_a_dead_editors_row_is_due_again(hub: Hub, message: UUID) -> None:
    await request_edits(hub.db, ABOUT)
    # As whoever claimed it and died leaves it, once the lease has run out.
    await hub.db.execute("UPDATE message_edit SET held = true, due_at = now() - interval '1 s'")

    assert await Editor(hub, [Counted(hub)]).work_off() == 1
    assert await _text(hub, message) == "1"


async def test_a_pause_that_the_provider_asked_for_is_not_cut_short(
    hub: Hub, message: UUID
) -> None:
    await request_edits(hub.db, ABOUT)
    await hub.db.execute("UPDATE message_edit SET held = true, due_at = now() + interval '1 min'")

    await request_edits(hub.db, ABOUT)

    assert await _waiting(hub) == [False]


async def test_messages_that_are_on_their_way_are_waited_for(hub: Hub, message: UUID) -> None:
    await hub.db.execute("UPDATE delivery SET status = 'sending'")
    question = Counted(hub)
    await request_edits(hub.db, ABOUT)

    await Editor(hub, [question]).work_off()

    assert await _waiting(hub) == [False]
    assert question.times == 0


async def test_a_bug_in_one_question_does_not_hold_up_the_others(hub: Hub) -> None:
    class Faulty:
        kind = "stock"

        async def render(self, db: Db, asked: Sequence[Asking]) -> Mapping[UUID, Parts]:
            if any(one.page == "faulty" for one in asked):
                raise ValueError("a bug")
            return {one.id: Parts(one.page) for one in asked}

    asked = [("stock", _asking(page)) for page in ("a", "faulty", "b")]

    found = await render_all(hub.db, {"stock": Faulty()}, asked)

    assert [parts.text for parts in found.values()] == ["a", "b"]


def _asking(page: str) -> Asking:
    return Asking(
        id=new_id(),
        shop_id=1,
        about=ABOUT,
        contact=ContactFacts(new_id()),
        channel=Channel.TELEGRAM,
        address="42",
        digest=b"x",
        locale="ru",
        timezone="UTC",
        template="",
        data={},
        page=page,
    )


async def test_old_messages_are_found_by_what_they_ask_about(hub: Hub) -> None:
    """However many notifications there are: by an index, whatever the planner thinks of small tables."""
    async with hub.db.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        plan = await conn.fetch(
            "EXPLAIN SELECT id FROM notification WHERE interaction ->> 'id' = $1", str(ABOUT)
        )

    text = "\n".join(row[0] for row in plan)
    assert "interaction" in text
    assert "Seq Scan" not in text
