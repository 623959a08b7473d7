"""What the people at the shelf are shown, and that it stays fast when much is open."""

import time
from decimal import Decimal
from uuid import UUID

import pytest

from hub.ids import new_id
from hub.orders import service, stock_queries, views
from hub.orders.model import Answerer, Kind, Via
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, Reply, line, tell

pytestmark = pytest.mark.usefixtures("people")


async def test_a_question_shows_the_present_state(
    hub: Hub, api: Api, place: Place, reply: Reply
) -> None:
    await api.put("/v1/warehouses/wh-7", {"name": "Лесная"})
    [request] = (await place(line("1"), line("2")))["stock_requests"]
    await reply(request, ("1", 1))

    shown = await views.question(hub.db, hub.shop("main").id, UUID(request["id"]))

    assert shown is not None
    assert (shown.order_number, shown.warehouse_name, shown.seller_name) == (
        "1001",
        "Лесная",
        "ИП Петрова",
    )
    first, second = shown.lines
    assert (first.asked, first.confirmed, first.answered_by) == (2, 1, "Анна Кладова")
    assert first.price == Decimal("1990.00")
    assert shown.open_lines == (second,)
    assert shown.answered_by == ("Анна Кладова",)
    assert shown.deadline is not None


async def test_another_shops_question_is_none(hub: Hub, place: Place) -> None:
    [request] = (await place())["stock_requests"]

    assert await views.question(hub.db, hub.shop("quiet").id, UUID(request["id"])) is None


async def test_the_board_holds_what_waits_for_a_person_the_longest_first(
    hub: Hub, api: Api, place: Place, book: Book, reply: Reply
) -> None:
    await place(line("1"), line("2"), id_="a", number="A")
    await place(line("1"), id_="b", number="B", status="paid")
    [done] = (await place(line("1"), id_="c", number="C"))["stock_requests"]
    await reply(done, ("1", 2))
    await place(line("1", warehouse="wh-8"), id_="d", number="D")

    async def board(contact: str) -> list[tuple[Kind, str]]:
        shop, id_ = hub.shop("main").id, await book.id_of(contact)
        items = await views.board(hub.db, shop, [id_])
        assert len(items) == await views.board_size(hub.db, shop, [id_])
        return [(item.kind, item.order_number) for item in items]

    assert await board("wh-7-anna") == [(Kind.STOCK, "A"), (Kind.ASSEMBLY, "B")]
    assert await board("seller-7") == [(Kind.STOCK, "D")]
    assert await board("boss") == []
    assert await board("buyer-42") == []
    await book.step(3)
    assert await board("seller-7") == [(Kind.STOCK, "A"), (Kind.STOCK, "D")]
    assert await board("boss") == [(Kind.STOCK, "A"), (Kind.STOCK, "D")]
    await tell(api, "cancelled", "a")
    assert await board("wh-7-anna") == [(Kind.ASSEMBLY, "B")]


async def test_an_item_of_the_board_tells_how_much_it_is(
    hub: Hub, place: Place, book: Book, reply: Reply
) -> None:
    lines = [line(str(n), n) for n in range(1, 6)]
    [request] = (await place(*lines))["stock_requests"]
    await reply(request, ("1", 1))

    [item] = await views.board(hub.db, hub.shop("main").id, [await book.id_of("wh-7-anna")])

    assert (item.line_count, item.open_count, item.pieces) == (5, 4, 15)
    assert item.titles == ("Чайник 1", "Чайник 2", "Чайник 3")


async def test_a_parcel_that_waits_for_the_shelf_says_so(
    hub: Hub, place: Place, book: Book, reply: Reply
) -> None:
    [request] = (await place(line("1", 2)))["stock_requests"]
    await reply(request, ("1", 2))
    await place(line("1", 2), status="paid")
    await place(line("1", 5), status="paid")
    shop, anna = hub.shop("main").id, await book.id_of("wh-7-anna")

    items = {item.kind: item for item in await views.board(hub.db, shop, [anna])}

    assert (items[Kind.STOCK].open_count, items[Kind.STOCK].waits) == (1, False)
    assert items[Kind.ASSEMBLY].waits


async def test_a_parcel_counts_what_is_to_be_packed(
    hub: Hub, place: Place, book: Book, reply: Reply
) -> None:
    [request] = (await place(line("1", 2), line("2", 3), line("3", 1)))["stock_requests"]
    await reply(request, ("1", 1), ("2", 0), ("3", 1))
    await place(line("1", 2), line("2", 3), line("3", 1), status="paid")

    [item] = await views.board(hub.db, hub.shop("main").id, [await book.id_of("wh-7-anna")])

    assert (item.kind, item.line_count, item.pieces) == (Kind.ASSEMBLY, 2, 2)
    assert item.titles == ("Чайник 1", "Чайник 3")
    assert not item.waits


async def _copies(hub: Hub, order: str, count: int) -> None:
    """That order's question `count` times over."""
    ids = [new_id() for _ in range(2 * count)]
    await hub.db.execute(
        """
        WITH made AS (
            SELECT o AS order_id, r AS request_id, n
              FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS t (o, r, n)
        ), orders AS (
            INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency)
            SELECT order_id, s.shop_id, 'copy-' || n, n, s.status, s.told_status, s.currency
              FROM made, shop_order AS s WHERE s.external_id = $1
        ), requests AS (
            INSERT INTO stock_request (id, shop_id, order_id, seller_id, warehouse_id, opened_at,
                                       clock_from)
            SELECT request_id, r.shop_id, made.order_id, r.seller_id, r.warehouse_id,
                   r.opened_at + n * interval '1 second', r.clock_from
              FROM made, stock_request AS r JOIN shop_order AS s ON s.id = r.order_id
             WHERE s.external_id = $1
        ), lines AS (
            INSERT INTO stock_line (stock_request_id, line_id, shop_id, asked)
            SELECT request_id, k.line_id, k.shop_id, k.asked
              FROM made, stock_line AS k JOIN stock_request AS r ON r.id = k.stock_request_id
              JOIN shop_order AS s ON s.id = r.order_id
             WHERE s.external_id = $1
        )
        INSERT INTO order_line (order_id, shop_id, line_id, position, title, quantity, seller_id,
                                warehouse_id, stock_request_id)
        SELECT made.order_id, l.shop_id, l.line_id, l.position, l.title, l.quantity, l.seller_id,
               l.warehouse_id, made.request_id
          FROM made, order_line AS l JOIN shop_order AS s ON s.id = l.order_id
         WHERE s.external_id = $1
        """,
        order,
        ids[:count],
        ids[count:],
    )
    for table in ("shop_order", "stock_request", "stock_line", "order_line"):
        await hub.db.execute(f"ANALYZE {table}")


async def test_with_5000_open_questions_a_page_of_the_board_is_there_at_once(
    hub: Hub, place: Place, book: Book
) -> None:
    await place(line("1"), line("2"), line("3"), id_="first")
    await _copies(hub, "first", 5000)
    shop, anna = hub.shop("main").id, await book.id_of("wh-7-anna")
    await views.board(hub.db, shop, [anna])

    started = time.process_time()
    items = await views.board(hub.db, shop, [anna], limit=10)
    size = await views.board_size(hub.db, shop, [anna])
    took = time.process_time() - started

    assert (len(items), size) == (10, 5001)
    assert took < 0.3


async def test_what_is_done_makes_nothing_slower(hub: Hub, place: Place, book: Book) -> None:
    await place(line("1"), id_="first")
    await _copies(hub, "first", 5000)
    await hub.db.execute("UPDATE stock_request SET status = 'answered', next_step_at = NULL")
    await place(line("1"), id_="second")
    await hub.db.execute("VACUUM ANALYZE stock_request")
    anna, shop = await book.id_of("wh-7-anna"), hub.shop("main").id

    plans = [
        await _plan(hub, views.BOARD, shop, [anna], 10, 0, 10),
        await _plan(hub, stock_queries.DUE, 200),
    ]

    assert not any("Seq Scan on stock_request" in plan for plan in plans)
    [item] = await views.board(hub.db, shop, [anna])
    assert item.open_count == 1


async def _plan(hub: Hub, statement: str, *arguments: object) -> str:
    rows = await hub.db.fetch(f"EXPLAIN {statement}", *arguments)
    return "\n".join(row["QUERY PLAN"] for row in rows)


async def test_an_answer_is_fast_beside_many(hub: Hub, place: Place) -> None:
    [request] = (await place(line("1"), id_="first"))["stock_requests"]
    await _copies(hub, "first", 3000)
    shop = hub.shop("main")

    started = time.process_time()
    by = Answerer(None, "Анна", "telegram:71")
    done = await service.answer(hub, shop, UUID(request["id"]), None, by=by, via=Via.TELEGRAM)
    took = time.process_time() - started

    assert done.complete
    assert took < 0.5
