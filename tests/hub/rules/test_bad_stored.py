"""A rule that another version of the hub took and this one would refuse: it tells nobody, the others go on."""

from collections.abc import Mapping
from typing import Any

import pytest

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, line, tell
from tests.hub.rules.conftest import Put, go

REFUSED: Mapping[str, Any] = {"field": "order.total", "op": "matches", "value": "^1"}
"""By an operator that this version does not know."""


async def stored(hub: Hub, name: str, column: str, value: Any) -> None:
    await hub.db.execute(f"UPDATE rule SET {column} = $2 WHERE name = $1", name, value)


@pytest.fixture
async def broken(hub: Hub, rule: Put) -> None:
    """Told beside the built-in one, of the same event."""
    await rule("loud", event="order.shipped", audiences=["admin"])
    await stored(hub, "loud", "condition", dict(REFUSED))


@pytest.mark.usefixtures("broken")
async def test_the_list_shows_it_as_it_is_and_what_is_wrong(api: Api) -> None:
    listed = await api.get("/v1/rules?limit=200")
    alone = await api.get("/v1/rules/loud")

    assert listed.status == 200, listed.raw
    [shown] = [one for one in listed.json["items"] if one["name"] == "loud"]
    assert shown == alone.json
    assert shown["condition"] == REFUSED
    assert "condition.op" in shown["problem"]
    assert all(not one["problem"] for one in listed.json["items"] if one["name"] != "loud")


@pytest.mark.usefixtures("broken", "people")
async def test_it_tells_nobody_and_the_others_go_on(api: Api, book: Book, place: Place) -> None:
    await place(line("1"))
    await tell(api, "shipped")

    assert await book.who_heard("order.shipped") == ["buyer-42"]


async def test_in_the_place_of_a_built_in_rule_that_one_does_not_come_back(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put
) -> None:
    """The condition was there to keep people from being told."""
    await rule("order.shipped", audiences=["buyer"])
    await stored(hub, "order.shipped", "condition", dict(REFUSED))

    await place(line("1"))
    await tell(api, "shipped")

    assert await book.who_heard("order.shipped") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("audiences", ["buyer", "courier"]),
        ("channels", ["email", "pigeon"]),
        ("event", "parcel.lost"),
    ],
)
async def test_words_that_this_version_does_not_know_stop_that_rule_alone(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put, column: str, value: Any
) -> None:
    await rule("loud", event="order.shipped", audiences=["admin"])
    await stored(hub, "loud", column, value)

    await place(line("1"))
    await tell(api, "shipped")

    listed = await api.get("/v1/rules?limit=200")
    [shown] = [one for one in listed.json["items"] if one["name"] == "loud"]
    assert column in shown["problem"]
    assert await book.who_heard("order.shipped") == ["buyer-42"]


async def test_what_waits_by_it_waits_until_it_is_put_anew(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put
) -> None:
    given = {"event": "order.shipped", "audiences": ["buyer"], "delay": 60}
    await rule("later", **given)
    await place(line("1"))
    await tell(api, "shipped")
    await stored(hub, "later", "condition", dict(REFUSED))

    assert await go(hub) == 1
    assert await book.who_heard("order.shipped") == ["buyer-42"]

    mended = await rule("later", **given)
    assert await go(hub) == 0
    assert mended["problem"] == ""
    assert await book.who_heard("order.shipped") == ["buyer-42", "buyer-42"]
