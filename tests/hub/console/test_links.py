"""Links that open once: the first owner, invitations, a password set anew."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.audit.model import SYSTEM
from hub.operators import invitations, queries, sessions
from hub.operators.model import Membership, Right, Role
from hub.resources import Hub
from tests.hub.console.client import Console, Page
from tests.hub.console.conftest import PASSWORD, ConsoleFor, add_operator, enter

NEW = "a long new password"


@pytest.fixture
async def browser(url: str) -> AsyncIterator[Console]:
    async with Console(url) as browser:
        yield browser


async def _fill(browser: Console, path: str, **fields: str) -> Page:
    page = await browser.get(path)
    given: dict[str, Any] = {"password": NEW, "again": NEW} | fields
    return await browser.send(page.forms[0], **given)


async def _actions(hub: Hub) -> list[tuple[int, str]]:
    rows = await hub.db.fetch("SELECT shop_id, action FROM audit ORDER BY id")
    return [(row["shop_id"], row["action"]) for row in rows]


async def test_the_first_link_makes_the_owner_of_all_shops(hub: Hub, browser: Console) -> None:
    token = await invitations.first(hub.db)
    assert token

    page = await _fill(browser, f"/console/first/{token}", login="Anna@Shop.Example", name="Anna")

    assert page.status == 200
    assert page.path == "/console/main/"
    [one] = await queries.listed(hub.db)
    assert (one.operator.login, one.operator.name) == ("anna@shop.example", "Anna")
    assert {m.role for m in one.operator.shops.values()} == {Role.OWNER}
    assert one.operator.shops.keys() == hub.shops.keys()
    assert await invitations.first(hub.db) is None
    assert (await browser.get(f"/console/first/{token}")).status == 404


async def test_a_new_first_link_ends_the_one_before(hub: Hub, browser: Console) -> None:
    before, now = await invitations.first(hub.db), await invitations.first(hub.db)

    assert (await browser.get(f"/console/first/{before}")).status == 404
    assert (await browser.get(f"/console/first/{now}")).status == 200


async def _invited(hub: Hub, role: Role = Role.WAREHOUSE, login: str | None = None) -> str:
    membership = Membership(role, frozenset({Right.ADDRESSES}))
    shop = hub.shop("main").id
    token = await invitations.invite(hub.db, shop, membership, login=login, by=SYSTEM)
    return f"/console/invite/{token}"


async def test_an_invitation_gives_its_role_in_its_shop(hub: Hub, browser: Console) -> None:
    path = await _invited(hub)

    await _fill(browser, path, login="boris@shop.example")

    [one] = await queries.listed(hub.db)
    assert one.operator.shops == {
        hub.shop("main").id: Membership(Role.WAREHOUSE, frozenset({Right.ADDRESSES}))
    }
    assert [action for _, action in await _actions(hub)] == [
        "operator.invited",
        "operator.created",
        "operator.signed_in",
    ]


async def test_it_opens_once_and_for_a_time(hub: Hub, browser: Console) -> None:
    path = await _invited(hub)
    await hub.db.execute("UPDATE operator_invite SET expires_at = now()")
    assert (await browser.get(path)).status == 404

    path = await _invited(hub)
    page = await browser.get(path)
    await _fill(browser, path, login="boris@shop.example")
    browser.forget_cookies()
    again = await browser.send(page.forms[0], login="eva@shop.example", password=NEW, again=NEW)
    assert again.status == 404
    assert len(await queries.listed(hub.db)) == 1


async def test_looking_at_it_uses_nothing_up(hub: Hub, browser: Console) -> None:
    path = await _invited(hub)

    for _ in range(3):
        assert (await browser.get(path)).status == 200


async def test_one_for_an_address_is_for_that_one(hub: Hub, browser: Console) -> None:
    path = await _invited(hub, login="boris@shop.example")

    await _fill(browser, path, login="eva@shop.example")

    [one] = await queries.listed(hub.db)
    assert one.operator.login == "boris@shop.example"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"login": "no address"}, "does not look like an e-mail"),
        ({"password": "short", "again": "short"}, "10 characters or more"),
        ({"password": "aaaaaaaaaaaa", "again": "aaaaaaaaaaaa"}, "Too simple"),
        ({"password": "x" * 201, "again": "x" * 201}, "200 characters"),
        ({"again": "something else"}, "passwords differ"),
    ],
)
async def test_what_is_filled_in_badly_is_said_at_its_field(
    hub: Hub, browser: Console, fields: dict[str, str], said: str
) -> None:
    page = await _fill(browser, await _invited(hub), **{"login": "boris@shop.example"} | fields)

    assert page.status == 422
    assert said in page.text
    assert NEW not in page.html
    assert len(page.with_attribute("aria-invalid")) == 1
    assert await queries.listed(hub.db) == []


async def test_an_address_that_is_known_has_to_sign_in(hub: Hub, browser: Console) -> None:
    await add_operator(hub, "boris@shop.example", shop="other")
    path = await _invited(hub)

    page = await _fill(browser, path, login="boris@shop.example")

    assert page.status == 422
    assert "Sign in and open this link again" in page.text
    assert (await browser.get(path)).status == 200


async def test_who_is_in_joins_with_a_button(hub: Hub, url: str) -> None:
    boris = await add_operator(hub, "boris@shop.example", shop="other")
    path = await _invited(hub)
    async with await enter(hub, url, boris) as browser:
        page = await browser.get(path)
        assert "Join as boris@shop.example" in page.text

        stranger = await browser.call("POST", path, "join=1&csrf=x")
        assert stranger.status == 403
        await browser.send(page.forms[0])

        [one] = await queries.listed(hub.db)
        assert one.operator.shops.keys() == {hub.shop("main").id, hub.shop("other").id}
        assert (await browser.get("/audit")).status == 403


async def test_an_owner_loses_nothing_by_an_invitation(hub: Hub, url: str) -> None:
    owner = await add_operator(hub)
    async with await enter(hub, url, owner) as browser:
        page = await browser.get(await _invited(hub))
        await browser.send(page.forms[0])

        assert (await browser.get("/audit")).status == 200


async def test_a_reset_sets_the_password_and_ends_everything_else(
    hub: Hub, url: str, browser: Console
) -> None:
    owner = await add_operator(hub)
    await hub.db.execute("UPDATE operator SET totp_secret = 'x'")
    async with await enter(hub, url, owner) as old:
        token = await invitations.reset(hub.db, owner.login, by=SYSTEM)
        assert (await old.get("/audit", follow=False)).status == 200

        page = await _fill(browser, f"/console/invite/{token}")

        assert page.path == "/console/main/"
        assert (await old.get("/audit", follow=False)).status == 303
    [one] = await queries.listed(hub.db)
    assert not one.operator.totp
    assert len(await sessions.of(hub.db, owner.id)) == 1
    assert "operator.password_changed" in [action for _, action in await _actions(hub)]
    async with Console(url) as other:
        page = await other.get("/console/sign-in")
        refused = await other.send(page.forms[0], login=owner.login, password=PASSWORD)
        assert refused.status == 422
        assert (await other.send(page.forms[0], login=owner.login, password=NEW)).status == 200


async def test_no_other_site_can_use_a_link(hub: Hub, browser: Console) -> None:
    path = await _invited(hub)
    browser.headers["Origin"] = "https://evil.example"

    page = await browser.call("POST", path, f"login=a@b.example&password={NEW}&again={NEW}")

    assert page.status == 403


async def test_of_a_link_only_a_digest_is_kept(
    hub: Hub, browser: Console, console_for: ConsoleFor
) -> None:
    token = (await _invited(hub)).rpartition("/")[2]

    rows = await hub.db.fetch("SELECT * FROM operator_invite, audit")
    assert token not in str(rows)
