"""API keys in the console."""

from hub.resources import Hub
from hub.shops import keys
from tests.hub.api.client import Api
from tests.hub.console.client import Console


async def test_a_key_is_made_shown_once_and_works(hub: Hub, url: str, console: Console) -> None:
    page = await console.get("/set-up/keys")
    made = await console.send(page.form("/set-up/keys"), name="shop <b>", scope=["read", "orders"])

    [copied] = [one["data-copy"] for one in made.with_attribute("data-copy")]
    assert copied
    assert copied not in (await console.get("/set-up/keys")).html
    assert "<b>" not in made.html
    [key] = await keys.listed(hub.db, "main")
    assert (key.name, sorted(key.scopes)) == ("shop <b>", ["orders", "read"])
    async with Api(url, copied) as api:
        assert (await api.get("/v1/events")).status == 200
        assert (await api.get("/v1/keys")).status == 403
    actor = await hub.db.fetchval("SELECT actor FROM audit WHERE action = 'key.created'")
    assert actor == "operator"


async def test_a_key_that_may_nothing_is_not_made(hub: Hub, console: Console) -> None:
    page = await console.post("/set-up/keys", name="nothing", scope="everything")

    assert page.status == 422
    assert "Tick what the key may do" in page.text
    assert await keys.listed(hub.db, "main") == []


async def test_a_key_is_revoked(hub: Hub, url: str, console: Console) -> None:
    key, text = await keys.create(hub.db, "main", [keys.Scope.READ], "old")
    page = await console.get("/set-up/keys")

    done = await console.send(page.form(f"/keys/{key.id}/revoke"))
    again = await console.send(page.form(f"/keys/{key.id}/revoke"))

    assert "The key is revoked" in done.text
    assert "Things have changed meanwhile" in again.text
    async with Api(url, text) as api:
        assert (await api.get("/v1/events")).status == 401


async def test_another_shops_key_is_left_alone(hub: Hub, console: Console) -> None:
    key, _ = await keys.create(hub.db, "other", [keys.Scope.READ], "theirs")

    await console.post(f"/set-up/keys/{key.id}/revoke")
    forged = await console.post("/set-up/keys", csrf="wrong", scope="read")

    [theirs] = await keys.listed(hub.db, "other")
    assert theirs.revoked_at is None
    assert forged.status == 403
    assert "theirs" not in (await console.get("/set-up/keys")).text
