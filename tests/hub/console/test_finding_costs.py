"""What finding costs with many rows: nothing is read from end to end, and nobody waits for what is rare."""

from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from channels.base import Channel
from hub.config import Settings
from hub.contacts import finding
from hub.events import of_person
from hub.notifications import searching
from hub.notifications.model import NotificationStatus
from hub.notifications.searching import Sought
from hub.orders import bought
from hub.resources import Hub
from tests.hub.explained import Explained
from tests.hub.filling import filled

ROWS = 60_000
GROWING = ("notification", "delivery", "contact", "address", "shop_event", "shop_order")


@pytest.fixture
async def full(settings: Settings) -> AsyncIterator[Hub]:
    async with filled(settings, "finding", _fill) as hub:
        yield hub


async def _fill(hub: Hub) -> None:
    shop = hub.shop("main").id
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(
            """
            INSERT INTO contact (id, shop_id, external_id, name)
            SELECT gen_random_uuid(), $1, 'c' || g, 'Анна Петрова' || g FROM generate_series(1, $2::int) AS g
            """,
            shop,
            ROWS,
        )
        await connection.execute(
            """
            INSERT INTO address (id, shop_id, contact_id, kind, value, digest)
            SELECT gen_random_uuid(), $1, id, 'email', external_id || '@example.com',
                   sha256(convert_to('email:' || external_id || '@example.com', 'UTF8')) FROM contact
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, template, category, strategy, status, plan, skipped, data)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - row_number() OVER ()), 12, '0')
                    || '70008' || substr(md5(c.id::text), 1, 15))::uuid,
                   $1, c.id, 'order.paid', 'transactional', 'first', 'sent', '[]', '[]',
                   jsonb_build_object('order', jsonb_build_object('number', c.external_id))
              FROM contact AS c
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                                  status, due_at, handout_at, give_up_at)
            SELECT n.id, $1, n.id, n.contact_id, n.id, 'email', 'transactional', 'sent', now(), now(), now()
              FROM notification AS n
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, buyer_id, currency)
            SELECT gen_random_uuid(), $1, 'o-' || external_id, external_id, 'paid', 'paid', id, 'RUB' FROM contact
            """,
            shop,
        )


async def test_no_table_is_read_through(full: Hub) -> None:
    shop = full.shop("main").id
    async with full.db.acquire() as connection:
        db: Any = Explained(connection)
        await searching.meant(db, shop, "c777")
        sought = await searching.meant(connection, shop, "c777@example.com")
        assert sought is not None
        assert len(sought.people) == 1
        found = await searching.search(db, shop, sought)
        assert len(found.rows) == 1
        order = await searching.search(db, shop, Sought(order="c777"))
        assert len(order.rows) == 1
        both = Sought(people=sought.people, order="c778", channel=Channel.EMAIL)
        assert len((await searching.search(db, shop, both)).rows) == 2
        everything = await searching.search(db, shop, Sought())
        assert len(everything.rows) == 50
        await searching.search(db, shop, Sought(), before=everything.before)
        await searching.search(db, shop, Sought(status=NotificationStatus.FAILED))
        await searching.search(db, shop, Sought(status=NotificationStatus.SENT))
        assert len(await finding.find(db, shop, "анна петрова777")) >= 1
        assert len(await finding.find(db, shop, "анна")) == 50
        await searching.about(db, shop, everything.rows[0]["id"])
        await of_person.page(db, shop, sought.people[0])
        await bought.page(db, shop, sought.people[0])

    assert db.read_through(GROWING) == []


@pytest.mark.parametrize(
    "sought",
    [
        Sought(template="order.none"),
        Sought(channel=Channel.VIBER),
        Sought(status=NotificationStatus.READ),
    ],
)
async def test_what_hardly_ever_is_makes_nobody_wait(
    full: Hub, monkeypatch: pytest.MonkeyPatch, sought: Sought
) -> None:
    shop = full.shop("main").id
    monkeypatch.setattr(searching, "_PATIENCE", timedelta(0))

    began = monotonic()
    found = await searching.search(full.db, shop, sought)
    took = monotonic() - began

    assert found.rows == []
    assert found.looked_until is not None
    assert took < 1
    seen = {found.before}
    while found.before:
        found = await searching.search(full.db, shop, sought, before=found.before)
        assert found.before not in seen
        seen.add(found.before)
    assert len(seen) > 10
