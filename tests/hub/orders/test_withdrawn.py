"""Questions that nobody needs an answer to any more: how those hear of it whose messages cannot be changed."""

import pytest

from hub.config import Notify, Settings
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, line, tell

LETTER = {
    "role": "warehouse",
    "name": "Вера",
    "addresses": {"email": "vera@example.com"},
    "warehouses": ["wh-9"],
}


@pytest.fixture
async def letter(api: Api) -> str:
    """A storekeeper of `wh-9` who reads nothing but e-mail."""
    assert (await api.put("/v1/contacts/letter", LETTER)).status == 201
    return "letter"


async def test_who_hears_of_the_cancelled_order_is_not_told_twice(
    api: Api, letter: str, place: Place, book: Book
) -> None:
    await place(line("1", warehouse="wh-9"))
    await tell(api, "cancelled")

    assert letter in await book.who_heard("order.cancelled")
    assert await book.who_heard("stock.cancelled") == []


async def test_asked_by_letter_one_hears_of_a_refusal_that_is_not_told_to_storekeepers(
    api: Api, letter: str, place: Place, book: Book
) -> None:
    await place(line("1", warehouse="wh-9"), line("2"))
    await tell(api, "rejected")

    assert await book.who_heard("stock.cancelled") == [letter]
    [told] = [one for one in await book.told() if one.template == "stock.cancelled"]
    assert told.channel == "email"
    assert told.data["stock"] == {"reason": "cancelled"}


async def test_an_admin_who_was_asked_hears_that_the_order_is_off(
    api: Api, place: Place, book: Book
) -> None:
    await place(line("1"))
    # The reminder, the end of the time, the seller, the admins.
    await book.step(4)
    await tell(api, "cancelled")

    assert "boss" in await book.who_heard("stock.escalated")
    assert await book.who_heard("stock.cancelled") == ["boss"]


class TestWhereStorekeepersHearNothingOfCancelledOrders:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        shop = settings.shops["main"].model_copy(update={"notify": Notify(warehouse=())})
        return settings.model_copy(update={"shops": {**settings.shops, "main": shop}})

    async def test_those_asked_by_letter_do(
        self, api: Api, letter: str, place: Place, book: Book
    ) -> None:
        await place(line("1", warehouse="wh-9"))
        await tell(api, "cancelled")

        assert await book.who_heard("stock.cancelled") == [letter]
