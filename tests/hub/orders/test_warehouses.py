"""Places as a shop makes, changes and reads them."""

from typing import Any

import pytest

from channels.base import Channel
from hub.contacts.links import Redeemed
from hub.notifications import steps
from hub.orders import warehouses
from hub.orders.warehouses import ChatLink
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Place as OrderPlace
from tests.hub.orders.conftest import line

pytestmark = pytest.mark.usefixtures("people")

PLACE: dict[str, Any] = {
    "name": "Лесная",
    "address": "Москва, Лесная ул., 5",
    "timezone": "Asia/Novosibirsk",
    "hours": {"mon": ["09:00", "18:00"], "fri": ["22:00", "06:00"]},
    "seller": {"external_id": "seller-7"},
}


async def test_a_new_place_is_201_and_comes_back_as_it_was_given(api: Api) -> None:
    answer = await api.put("/v1/warehouses/wh-7", PLACE)

    assert answer.status == 201
    shown = (await api.get("/v1/warehouses/wh-7")).json
    assert shown == answer.json
    assert {name: shown[name] for name in PLACE} == PLACE
    assert shown["staff"] == ["wh-7-anna", "wh-7-boris"]


async def test_what_is_left_out_stays_and_null_clears(api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)

    answer = await api.put("/v1/warehouses/wh-7", {"name": "Новая", "hours": None, "seller": None})

    assert answer.status == 200
    shown = answer.json
    assert (shown["name"], shown["hours"], shown["seller"]) == ("Новая", {}, None)
    assert shown["address"] == PLACE["address"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"hours": {"mon": ["9:00", "18:00"]}}, "/hours/mon"),
        ({"hours": {"mon": ["09:00", "09:00"]}}, "/hours/mon"),
        ({"hours": {"monday": ["09:00", "18:00"]}}, "/hours/monday"),
        ({"timezone": "Moscow"}, "/timezone"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_wrong_place_is_400(api: Api, change: dict[str, Any], pointer: str) -> None:
    answer = await api.put("/v1/warehouses/wh-7", change)

    assert (answer.status, answer.pointers) == (400, [pointer])


async def test_its_seller_must_be_one(api: Api) -> None:
    for who in ("nobody", "buyer-42"):
        answer = await api.put("/v1/warehouses/wh-7", {"seller": {"external_id": who}})
        assert (answer.status, answer.pointers) == (422, ["/seller/external_id"])
    assert (await api.get("/v1/warehouses/wh-7")).status == 404


async def test_places_are_listed_newest_first(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.put(f"/v1/warehouses/{name}", {})

    first = (await api.get("/v1/warehouses?limit=2")).json
    rest = (await api.get(f"/v1/warehouses?limit=2&cursor={first['next_cursor']}")).json

    assert [item["external_id"] for item in first["items"] + rest["items"]] == ["c", "b", "a"]


async def test_a_link_needs_a_channel_with_a_bot(api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", {})

    assert (await api.post("/v1/warehouses/wh-7/links", {"channel": "email"})).status == 400
    assert (await api.post("/v1/warehouses/none/links", {"channel": "telegram"})).status == 404


async def linked(hub: Hub) -> ChatLink:
    return await warehouses.create_link(hub, hub.shop("main").id, "wh-7", Channel.TELEGRAM)


async def redeem(hub: Hub, command: str, chat: str) -> tuple[Redeemed, str]:
    token = command.removeprefix("/start ")
    async with hub.db.acquire() as conn, conn.transaction():
        return await warehouses.redeem_link(
            conn, hub.shop("main").id, Channel.TELEGRAM, token, chat
        )


async def type_code(hub: Hub, code: str, chat: str, person: str) -> tuple[Redeemed, str]:
    async with hub.db.acquire() as conn, conn.transaction():
        return await warehouses.redeem_code(
            conn, hub.signer, hub.shop("main").id, Channel.TELEGRAM, code, chat, person
        )


async def test_a_link_binds_the_group_that_uses_it_first(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)
    link = await linked(hub)

    assert link.url.endswith(link.command.removeprefix("/start "))
    assert await redeem(hub, link.command, "-1001") == (Redeemed.BOUND, "Лесная")
    assert await redeem(hub, link.command, "-1001") == (Redeemed.BOUND, "Лесная")
    assert await redeem(hub, link.command, "-1002") == (Redeemed.USED, "Лесная")
    assert await redeem(hub, "/start nonsense", "-1001") == (Redeemed.UNKNOWN, "")
    assert (await api.get("/v1/warehouses/wh-7")).json["chats"] == ["telegram"]


async def test_its_code_binds_too_and_both_work_once(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)
    link = await linked(hub)

    assert await type_code(hub, link.code, "-1001", "71") == (Redeemed.BOUND, "Лесная")
    assert await type_code(hub, link.code.lower(), "-1001", "71") == (Redeemed.BOUND, "Лесная")
    assert await type_code(hub, link.code, "-1002", "71") == (Redeemed.USED, "Лесная")
    assert await redeem(hub, link.command, "-1002") == (Redeemed.USED, "Лесная")


async def test_who_guesses_in_many_groups_guesses_no_oftener(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)
    link = await linked(hub)
    for n in range(5):
        found, _ = await type_code(hub, f"2345-67A{n + 2}", f"-100{n}", "71")
        assert found is Redeemed.UNKNOWN

    assert (await type_code(hub, link.code, "-2000", "71"))[0] is Redeemed.TOO_MANY
    assert (await type_code(hub, link.code, "-2000", "72"))[0] is Redeemed.BOUND


async def test_an_old_link_binds_nothing(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)
    link = await linked(hub)
    await hub.db.execute("UPDATE warehouse_link SET expires_at = now() - interval '1 second'")

    assert (await redeem(hub, link.command, "-1001"))[0] is Redeemed.EXPIRED
    assert (await api.get("/v1/warehouses/wh-7")).json["chats"] == []


async def test_a_group_that_the_bot_left_is_asked_no_more(hub: Hub, api: Api) -> None:
    await api.put("/v1/warehouses/wh-7", PLACE)
    link = await linked(hub)
    await redeem(hub, link.command, "-1001")

    async with hub.db.acquire() as conn:
        await warehouses.forget_chat(conn, hub.shop("main").id, Channel.TELEGRAM, "-1001")

    assert (await api.get("/v1/warehouses/wh-7")).json["chats"] == []


class TestAGroupThatBecameASupergroup:
    """Telegram gives it a new id then."""

    async def test_bound_once_more_it_is_asked_once(
        self, hub: Hub, api: Api, place: OrderPlace
    ) -> None:
        await api.put("/v1/warehouses/wh-9", PLACE)
        await bind(hub, "-55")
        await move(hub, "-55", "-10055")
        await bind(hub, "-10055")

        await place(line("1", warehouse="wh-9"))

        assert await asked(hub) == ["-10055"]
        assert (await api.get("/v1/warehouses/wh-9")).json["chats"] == ["telegram"]

    async def test_bound_before_its_move_was_known_it_is_asked_once(
        self, hub: Hub, api: Api, place: OrderPlace
    ) -> None:
        await api.put("/v1/warehouses/wh-9", PLACE)
        await bind(hub, "-55")
        await bind(hub, "-10055")
        await move(hub, "-55", "-10055")

        await place(line("1", warehouse="wh-9"))

        assert await asked(hub) == ["-10055"]

    async def test_that_the_bot_left_is_forgotten(self, hub: Hub, api: Api) -> None:
        await api.put("/v1/warehouses/wh-9", PLACE)
        await bind(hub, "-55")
        await move(hub, "-55", "-10055")

        async with hub.db.acquire() as conn:
            await warehouses.forget_chat(conn, hub.shop("main").id, Channel.TELEGRAM, "-10055")

        assert (await api.get("/v1/warehouses/wh-9")).json["chats"] == []

    async def test_another_group_of_the_place_stays_what_it_is(self, hub: Hub, api: Api) -> None:
        await api.put("/v1/warehouses/wh-9", PLACE)
        await bind(hub, "-55")
        await bind(hub, "-66")
        await move(hub, "-55", "-10055")

        values = await hub.db.fetch("SELECT value FROM warehouse_chat ORDER BY created_at")
        assert [row["value"] for row in values] == ["-10055", "-66"]


async def bind(hub: Hub, chat: str) -> None:
    shop = hub.shop("main")
    async with hub.db.acquire() as conn, conn.transaction():
        place = (await warehouses.ids(conn, shop.id, ["wh-9"]))["wh-9"]
        await warehouses.bind_chat(conn, shop.id, place, Channel.TELEGRAM, chat)


async def move(hub: Hub, chat: str, to: str) -> None:
    """The messenger says so when it is written to."""
    address = await hub.db.fetchval("SELECT id FROM address WHERE value = $1", chat)
    async with hub.db.acquire() as conn, conn.transaction():
        await steps.move_address(conn, address, Channel.TELEGRAM, to)


async def asked(hub: Hub) -> list[str]:
    """The groups that were written to."""
    rows = await hub.db.fetch(
        """
        SELECT a.value FROM delivery AS d JOIN address AS a ON a.id = d.address_id
         WHERE a.value LIKE '-%'
        """
    )
    return [row["value"] for row in rows]
