"""The stock board: who is asked, what is late, and answers noted for those who called."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hub.operators.model import Role
from hub.orders import service
from hub.orders.model import Via
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.console.client import Console, Page
from tests.hub.console.conftest import ConsoleFor
from tests.hub.orders.conftest import (
    Place,
    Reply,
    book,
    get_order,
    line,
    people,
    place,
    reply,
    tell,
)

__all__ = ["book", "people", "place", "reply"]


async def _who(hub: Hub, external_id: str = "wh-7-anna") -> str:
    return str(await hub.db.fetchval("SELECT id FROM contact WHERE external_id = $1", external_id))


def _(fields: dict[str, Any]) -> dict[str, Any]:
    """Names of fields that are no names in Python."""
    return fields


async def _answer(console: Console, request: Mapping[str, Any], **filled: Any) -> Page:
    path = f"/stock/{request['id']}"
    form = (await console.get(path)).form(path)
    return await console.send(form, **filled)


def _lines(order: Mapping[str, Any]) -> dict[str, tuple[int | None, str | None, str | None]]:
    return {
        one["id"]: (one["confirmed"], one["answered_by"], one["via"])
        for request in order["stock_requests"]
        for one in request["lines"]
    }


async def test_the_board_shows_who_is_asked_and_what_is_late(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    await place(line("1"), line("2", 1, seller="seller-8", warehouse=None))
    [late, _] = (await get_order(api))["stock_requests"]
    await hub.db.execute(
        "UPDATE stock_request SET status = 'overdue', deadline = now() - interval '5 minutes' WHERE id = $1",
        UUID(late["id"]),
    )

    waiting = await console.get("/stock")
    overdue = await console.get("/stock", tab="late")

    assert "Анна Кладова" in waiting.text
    assert "Борис" in waiting.text
    assert "ООО Чай" in waiting.text
    assert "Чайник 1 × 2" in waiting.text
    # A title that is written from right to left takes no number of its neighbour's along.
    assert "<bdi>Чайник 1</bdi>" in waiting.html
    assert "Overdue" in overdue.text or "overdue" in overdue.text
    assert "ООО Чай" not in overdue.text
    assert "Nobody was asked" in (await console.get("/stock", tab="answered")).text
    assert "nothing to pack" in (await console.get("/stock", tab="packing")).text


async def test_an_answer_is_noted_for_the_one_who_called(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3), line("2", 1)))["stock_requests"]

    done = await _answer(
        console, request, who=await _who(hub), do="lines", **_({"line:1": "2", "line:2": "1"})
    )

    assert "The answer is noted. The question is closed" in done.text
    assert "Noted by the operator owner@shop.example" in done.text
    order = await get_order(api)
    assert order["status"] == "partially_confirmed"
    assert _lines(order) == {"1": (2, "wh-7-anna", "console"), "2": (1, "wh-7-anna", "console")}
    [act] = await hub.db.fetch(
        "SELECT actor_name, object FROM audit WHERE action = 'stock.answered'"
    )
    assert (act["actor_name"], act["object"]) == ("owner@shop.example", request["id"])
    assert "Анна Кладова" in (await console.get("/stock", tab="answered")).text


async def test_one_button_says_it_of_all(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3), line("2", 1)))["stock_requests"]

    await _answer(console, request, who=await _who(hub, "wh-7-boris"), do="none")

    assert (await get_order(api))["status"] == "rejected"


async def test_somebody_whom_the_hub_does_not_know_is_named(
    place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]

    await _answer(console, request, who="other", name="  Сменщик   Пётр ", do="all")

    assert _lines(await get_order(api)) == {"1": (3, "Сменщик Пётр", "console")}


async def test_without_a_name_nothing_is_noted(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3), line("2", 1)))["stock_requests"]
    stranger = await _who(hub, "buyer-42")

    for filled in ({"who": ""}, {"who": "other", "name": " "}, {"who": stranger}, {"who": "x"}):
        page = await _answer(console, request, do="lines", **filled, **_({"line:1": "2"}))

        assert page.status == 422
        assert "Choose who said so" in page.text
        # What was filled in stays.
        assert ("line:1", "2") in page.form(f"/stock/{request['id']}").fields
    assert _lines(await get_order(api)) == {"1": (None, None, None), "2": (None, None, None)}


async def test_numbers_are_checked_as_on_the_page_behind_the_link(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 30), line("2", 1)))["stock_requests"]
    anna = await _who(hub)

    much = await _answer(
        console, request, who=anna, do="lines", **_({"line:1": "less", "number:1": "31"})
    )
    none = await _answer(console, request, who=anna, do="lines")
    grown = await _answer(
        console, request, who=anna, do="lines", **_({"shown:1": "99", "line:1": "99"})
    )

    assert much.status == 422
    assert "30" in much.text
    assert "Mark at least one line" in none.text
    assert (
        "everything has changed" in grown.text.lower()
        or "meanwhile" in grown.text.lower()
        or "looking" in grown.text.lower()
    )
    assert _lines(await get_order(api))["1"] == (None, None, None)


async def test_the_first_answer_wins(
    hub: Hub, place: Place, reply: Reply, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3), line("2", 1)))["stock_requests"]
    path = f"/stock/{request['id']}"
    form = (await console.get(path)).form(path)
    await reply(request, ("1", 3), by="wh-7-boris")

    page = await console.send(
        form, who=await _who(hub), do="lines", **_({"line:1": "0", "line:2": "1"})
    )

    assert "Somebody else was first" in page.text
    assert _lines(await get_order(api)) == {
        "1": (3, "wh-7-boris", "api"),
        "2": (1, "wh-7-anna", "console"),
    }


async def test_a_slip_is_corrected_in_his_name(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]
    shop, anna = hub.shop("main"), await service.answerer_named(hub.db, 1, "wh-7-anna")
    await service.answer(hub, shop, UUID(request["id"]), {"1": 3}, by=anna, via=Via.TELEGRAM)
    path = f"/stock/{request['id']}"

    page = await console.get(path)
    correcting = await console.get(page.links["Анна Кладова"])
    done = await console.send(correcting.form(path), do="lines", **_({"line:1": "1"}))

    assert "Correct the answer: Анна Кладова" in correcting.text
    assert "noted" in done.text
    assert _lines(await get_order(api)) == {"1": (1, "wh-7-anna", "console")}


async def test_a_closed_question_takes_no_answer(
    hub: Hub, place: Place, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]
    path = f"/stock/{request['id']}"
    form = (await console.get(path)).form(path)
    await tell(api, "cancelled")

    page = await console.send(form, who=await _who(hub), do="all")

    assert "nobody has to answer" in page.text.lower()
    assert not [one for one in page.forms if one.action.endswith(path) and one.method == "post"]


async def test_a_parcel_is_noted_as_packed(
    hub: Hub, place: Place, reply: Reply, api: Api, console: Console
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]
    await reply(request, ("1", 3))
    await tell(api, "paid")
    [assembly] = (await get_order(api))["assemblies"]
    path = f"/stock/packing/{assembly['id']}"
    form = (await console.get(path)).form(path)

    nobody = await console.send(form, who="")
    done = await console.send(form, who=await _who(hub))
    again = await console.send(form, who=await _who(hub))

    assert nobody.status == 422
    assert "Noted as packed" in done.text
    assert "packed or cancelled before" in again.text
    order = await get_order(api)
    assert order["status"] == "assembled"
    assert order["assemblies"][0]["assembled_by"] == "wh-7-anna"
    assert order["assemblies"][0]["via"] == "console"
    acts = await hub.db.fetchval("SELECT count(*) FROM audit WHERE action = 'assembly.done'")
    assert acts == 1


async def test_the_warehouse_lead_answers_and_the_reader_looks(
    hub: Hub, place: Place, api: Api, console_for: ConsoleFor
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]
    path = f"/stock/{request['id']}"
    reader, lead = await console_for(Role.READER), await console_for(Role.WAREHOUSE)

    seen = await reader.get(path)
    refused = await reader.post(path, who=await _who(hub), do="all")
    noted = await _answer(lead, request, who=await _who(hub), do="all")

    assert "Кладова" not in seen.text
    assert not [one for one in seen.forms if one.action.endswith(path) and one.method == "post"]
    assert refused.status == 403
    assert "The answer is noted" in noted.text


async def test_another_shops_questions_are_not_there(
    hub: Hub, place: Place, api: Api, console_for: ConsoleFor
) -> None:
    [request] = (await place(line("1", 3)))["stock_requests"]
    stranger = await console_for(shop="other")

    assert "1001" not in (await stranger.get("/stock")).text
    assert (await stranger.get(f"/stock/{request['id']}")).status == 404
    assert (
        await stranger.post(f"/stock/{request['id']}", who="other", name="X", do="all")
    ).status == 404
    assert _lines(await get_order(api)) == {"1": (None, None, None)}
