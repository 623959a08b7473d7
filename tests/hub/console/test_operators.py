"""The page Operators: invitations, roles, and the end of somebody's access."""

import asyncio
from typing import Any

import pytest

from hub.operators import people, queries, sessions
from hub.operators.model import APART, RIGHTS, Membership, Operator, Right, Role
from hub.operators.queries import actor_of
from hub.resources import Hub
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor, add_operator, enter


@pytest.fixture
async def boris(hub: Hub) -> Operator:
    return await add_operator(hub, "boris@shop.example", Role.OPERATOR)


async def _roles(hub: Hub) -> dict[str, Membership]:
    shop = hub.shop("main").id
    return {
        one.operator.login: one.operator.shops[shop] for one in await queries.listed(hub.db, shop)
    }


async def test_everybody_of_the_shop_is_listed_and_nobody_else(
    hub: Hub, console: Console, boris: Operator
) -> None:
    await add_operator(hub, "eva@shop.example", shop="other")

    page = await console.get("/operators")

    assert "boris@shop.example" in page.text
    assert "owner@shop.example" in page.text
    assert "eva@shop.example" not in page.text


async def test_an_invitation_is_shown_once_and_can_be_withdrawn(hub: Hub, console: Console) -> None:
    page = await console.get("/operators")
    form = page.form("/operators/invite")

    made = await console.send(form, login="Eva@Shop.Example", role="warehouse", right=["send"])

    link = next(str(given["data-copy"]) for given in made.with_attribute("data-copy"))
    assert link.startswith("https://hub.example/console/invite/")
    page = await console.get("/operators")
    assert link.rpartition("/")[2] not in page.html
    assert "eva@shop.example" in page.text
    path = link.removeprefix("https://hub.example")
    assert (await console.get(path)).status == 200
    page = await console.send(page.form("/invite/withdraw"))
    assert "The invitation is withdrawn" in page.text
    assert (await console.get(path)).status == 404


async def test_rights_are_given_and_taken_apart_from_the_role(
    hub: Hub, console: Console, boris: Operator
) -> None:
    page = await console.get(f"/operators/{boris.id}")
    assert ("right", "addresses") in page.forms[2].fields

    page = await console.send(page.forms[2], role="reader", right=["send"])

    assert "Saved" in page.text
    membership = (await _roles(hub))["boris@shop.example"]
    assert membership.rights == {Right.VIEW, Right.SEND}
    rows = await hub.db.fetch("SELECT action, object, detail FROM audit")
    assert [(r["action"], r["object"]) for r in rows] == [("operator.changed", str(boris.id))]


@pytest.mark.parametrize("role", list(Role))
def test_what_is_ticked_is_what_there_is(role: Role) -> None:
    for ticked in (set(), set(APART), {Right.SEND}, {Right.ADDRESSES, Right.STATISTICS}):
        rights = Membership.of(role, {right: right in ticked for right in APART}).rights

        if role is Role.OWNER:
            assert rights == frozenset(Right)
        else:
            assert rights & set(APART) == ticked
            assert rights - set(APART) == RIGHTS[role] - set(APART)


async def test_changed_rights_count_from_the_next_request(
    hub: Hub, url: str, console: Console
) -> None:
    eva = await add_operator(hub, "eva@shop.example", Role.OWNER)
    async with await enter(hub, url, eva) as hers:
        assert (await hers.get("/audit")).status == 200

        await console.post(f"/operators/{eva.id}", role="operator", right=["addresses"])

        assert (await hers.get("/audit")).status == 403


async def test_the_last_owner_stays_one(hub: Hub, console: Console) -> None:
    [me] = await queries.listed(hub.db)

    for path in (f"/operators/{me.operator.id}", f"/operators/{me.operator.id}/remove"):
        page = await console.post(path, role="reader")

        assert page.status == 409
        assert "last owner" in page.text
    assert (await _roles(hub))["owner@shop.example"].role is Role.OWNER


async def test_who_is_removed_is_out_at_once(
    hub: Hub, url: str, console: Console, boris: Operator
) -> None:
    async with await enter(hub, url, boris) as his:
        page = await console.post(f"/operators/{boris.id}/remove")

        assert "The access is gone" in page.text
        assert "boris@shop.example" not in await _roles(hub)
        assert (await his.get("/nothing", follow=False)).status == 303
    assert await hub.db.fetchval("SELECT count(*) FROM operator_session") == 1


async def test_who_has_another_shop_keeps_it(hub: Hub, console: Console, boris: Operator) -> None:
    async with hub.db.acquire() as connection:
        other = hub.shop("other").id
        await queries.put_membership(connection, boris.id, other, Membership(Role.OWNER))

    await console.post(f"/operators/{boris.id}/remove")

    found = await queries.credentials(hub.db, id_=boris.id)
    assert found
    assert found.operator.shops.keys() == {other}


async def test_password_and_sessions_of_who_works_elsewhere_too_are_not_the_owners_business(
    hub: Hub, console: Console, boris: Operator
) -> None:
    """Else the owner of one shop would get into the other one by a link of his."""
    async with hub.db.acquire() as connection:
        other = hub.shop("other").id
        await queries.put_membership(connection, boris.id, other, Membership(Role.READER))

    for path in ("reset", "sessions/end"):
        page = await console.post(f"/operators/{boris.id}/{path}")

        assert page.status == 403, path
    assert "/reset" not in (await console.get(f"/operators/{boris.id}")).html


async def test_an_owner_ends_sessions_and_gives_a_new_link(
    hub: Hub, url: str, console: Console, boris: Operator
) -> None:
    async with await enter(hub, url, boris) as one, await enter(hub, url, boris) as two:
        [first, *_] = await sessions.of(hub.db, boris.id)
        await console.post(f"/operators/{boris.id}/sessions/end", session=str(first.id))
        statuses = [(await c.get("/nothing", follow=False)).status for c in (one, two)]
        assert sorted(statuses) == [303, 404]
        await console.post(f"/operators/{boris.id}/sessions/end")
        assert await sessions.of(hub.db, boris.id) == []

    page = await console.post(f"/operators/{boris.id}/reset")
    link = next(str(given["data-copy"]) for given in page.with_attribute("data-copy"))
    page = await console.get(link.removeprefix("https://hub.example"))
    assert "For boris@shop.example" in page.text


async def test_who_is_of_another_shop_cannot_be_reached(hub: Hub, console: Console) -> None:
    eva = await add_operator(hub, "eva@shop.example", shop="other")

    for path in ("", "/remove", "/reset", "/sessions/end"):
        assert (await console.post(f"/operators/{eva.id}{path}", role="reader")).status == 404
    assert (await console.get(f"/operators/{eva.id}")).status == 404
    assert (await console.get("/operators/not-an-id")).status == 400


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.WAREHOUSE, Role.READER])
async def test_only_owners_get_there(
    hub: Hub, console_for: ConsoleFor, boris: Operator, role: Role
) -> None:
    other = await console_for(role, "eva@shop.example")

    assert (await other.get("/operators")).status == 403
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/operators/invite", {"role": "owner"}),
        (f"/operators/{boris.id}", {"role": "owner"}),
        (f"/operators/{boris.id}/remove", {}),
        (f"/operators/{boris.id}/reset", {}),
    ]
    for path, fields in calls:
        assert (await other.post(path, **fields)).status == 403, path
    assert (await _roles(hub))["boris@shop.example"].role is Role.OPERATOR


async def test_a_role_nobody_knows_is_refused(console: Console, boris: Operator) -> None:
    assert (await console.post("/operators/invite", role="god")).status == 422
    assert "Choose a role" in (await console.post(f"/operators/{boris.id}", role="god")).text


async def test_two_owners_who_remove_each_other_leave_one(hub: Hub, console: Console) -> None:
    eva = await add_operator(hub, "eva@shop.example", Role.OWNER)
    [me] = [o.operator for o in await queries.listed(hub.db) if o.operator.id != eva.id]
    shop, by = hub.shop("main").id, actor_of(me)

    done = await asyncio.gather(
        people.remove(hub.db, shop, eva.id, by=by),
        people.remove(hub.db, shop, me.id, by=by),
        return_exceptions=True,
    )

    assert len([one for one in done if one is None]) == 1
    assert len(await _roles(hub)) == 1
