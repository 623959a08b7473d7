"""The audit page."""

from hub.audit import log
from hub.audit.model import SYSTEM, Action
from hub.db.pool import transaction
from hub.operators.model import Role
from hub.resources import Hub
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor


async def _lines(hub: Hub, count: int, shop: str = "main") -> None:
    async with transaction(hub.db) as connection:
        for number in range(count):
            await log.record(
                connection,
                hub.shop(shop).id,
                SYSTEM,
                Action.RULE_STORED,
                f"rule-{number:03}",
                kind="x",
            )


async def test_it_shows_the_newest_first_and_goes_on(hub: Hub, console: Console) -> None:
    await _lines(hub, 60)

    page = await console.get("/audit")

    assert page.status == 200
    assert page.text.index("rule-059") < page.text.index("rule-010")
    assert "rule-009" not in page.text
    older = await console.get(page.links["Older →"])
    assert "rule-009" in older.text
    assert "rule-010" not in older.text
    assert "Older →" not in older.links
    assert "rule-059" in (await console.get(older.links["← Newest"])).text


async def test_it_is_filtered_by_action_object_and_day(hub: Hub, console: Console) -> None:
    await _lines(hub, 3)

    assert "rule-001" in (await console.get("/audit", object="rule-001")).text
    assert "rule-002" not in (await console.get("/audit", object="rule-001")).text
    assert "rule-001" in (await console.get("/audit", action="rule.stored")).text
    assert "rule-001" not in (await console.get("/audit", action="key.created")).text
    assert "rule-001" not in (await console.get("/audit", until="2001-01-01")).text
    assert "rule-001" in (await console.get("/audit", since="2001-01-01")).text


async def test_whatever_is_asked_for_is_no_fault_of_the_page(console: Console) -> None:
    for query in (
        "before=x",
        "who=x",
        "since=9999-99-99",
        "since=0001-01-01",
        "until=9999-12-31",
        "action=%00",
    ):
        assert (await console.get(f"/audit?{query}")).status == 200, query


async def test_what_an_entry_says_besides_is_in_the_readers_words(
    hub: Hub, console_for: ConsoleFor
) -> None:
    async with transaction(hub.db) as connection:
        await log.record(
            connection,
            hub.shop("main").id,
            SYSTEM,
            Action.WAREHOUSE_STORED,
            "wh-1",
            changed=["name"],
            created=True,
            somewhat=None,
        )

    page = await (await console_for(locale="ru")).get("/audit")

    assert "изменено: name; новый: Да; somewhat: –" in page.text


async def test_another_shops_lines_are_not_there(hub: Hub, console: Console) -> None:
    await _lines(hub, 3, "other")

    assert "rule-001" not in (await console.get("/audit")).text


async def test_only_owners_see_it(console_for: ConsoleFor) -> None:
    for role in (Role.OPERATOR, Role.WAREHOUSE, Role.READER):
        page = await (await console_for(role)).get("/audit")

        assert page.status == 403
        assert "no right" in page.text
