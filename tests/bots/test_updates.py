"""Updates as rows: stored once, kept as long as anybody may tell them again."""

from typing import Any

import pytest

from channels.updates import Incoming, storable
from hub.contacts import updates
from hub.resources import Hub


def _update(event: str, **raw: Any) -> Incoming:
    return Incoming(event, "42", raw)


async def test_an_update_is_stored_once_and_the_cursor_with_it(hub: Hub) -> None:
    shop = hub.shop("main").id

    assert await updates.cursor_of(hub.db, shop, "tg") is None
    assert await updates.store(hub.db, shop, "tg", [_update("1"), _update("2")], cursor="3") == 2
    assert await updates.store(hub.db, shop, "tg", [_update("2"), _update("3")], cursor="4") == 1

    assert await updates.cursor_of(hub.db, shop, "tg") == "4"
    assert len(await updates.waiting(hub.db, shop, "tg")) == 3
    assert await updates.waiting(hub.db, shop, "vk") == []


async def test_what_cannot_be_stored_moves_no_cursor(hub: Hub) -> None:
    shop = hub.shop("main").id

    with pytest.raises(Exception, match="Unicode"):
        await updates.store(hub.db, shop, "tg", [_update("1", text="\0")], cursor="2")

    assert await updates.cursor_of(hub.db, shop, "tg") is None


def test_what_postgresql_does_not_keep_is_taken_out() -> None:
    assert storable({"a\0": ["x\0y", {"b": "\ud800"}, 1, None]}) == {
        "a": ["xy", {"b": "?"}, 1, None]
    }
