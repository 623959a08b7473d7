"""The sandbox: the whole stock loop in a browser without an account, and what must not come out of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from html import unescape

import aiohttp
import pytest
from pydantic import SecretStr

# Imported before the clock runs: the frameworks take seconds, in which this process would serve nobody.
import bots.telegram
import bots.vk  # noqa: F401
from bots.main import serve as serve_bots
from channels.base import Button, Channel, Message
from hub.accounts import sandbox
from hub.api.app import make_app
from hub.api.console import sandbox_trial
from hub.api.console.bubbles import bubble
from hub.api.server import bind, serve
from hub.config import HubSettings, Settings, Shop
from hub.ids import new_id
from hub.operators.model import Right, Role
from hub.orders.words import words
from hub.queue import Lane
from hub.resources import Hub, open_hub
from hub.worker.main import work
from tests.emptying import empty
from tests.hub.console.client import Console, FormOnPage, Page
from tests.hub.console.conftest import ConsoleFor, add_operator, enter
from tests.hub.console.test_doors import check

SAID = words("en")
ANNA = "/sandbox/device?channel=telegram&to=910000002"
BORIS = "/sandbox/device?channel=vk&to=910000003"
PAPER = "/sandbox/device?channel=sms&to=%2B79990000105"
BUYER = "/sandbox/device?channel=email&to=trial-1@example.com"


@pytest.fixture
async def playground(hub_database: str, redis_url: str) -> AsyncIterator[Hub]:
    """All roles over a shop without an account."""
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    own = HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-sandbox"),
        public_url=url,
    )
    settings, stop = Settings(hub=own, shops={"main": Shop(name="Tea")}), asyncio.Event()
    async with open_hub(settings, pool_size=20) as hub, serve(make_app(hub), listening):
        await empty(hub.db)
        async with asyncio.TaskGroup() as roles:
            roles.create_task(serve_bots(hub, stop))
            roles.create_task(work(hub, list(Lane), stop, worker=new_id()))
            try:
                yield hub
            finally:
                stop.set()


@pytest.fixture
async def player(playground: Hub) -> AsyncIterator[Console]:
    operator = await add_operator(playground)
    async with await enter(playground, playground.settings.public_url, operator) as console:
        yield console


async def _until(console: Console, path: str, fits: Callable[[Page], object]) -> Page:
    try:
        async with asyncio.timeout(15):
            while True:
                page = await console.get(path)
                if fits(page):
                    return page
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(page.text) from None


def _under(page: Page, button: str) -> FormOnPage | None:
    return next((form for form in page.forms if button in form.buttons), None)


async def _press(console: Console, path: str, button: str) -> None:
    page = await _until(console, path, lambda page: _under(page, button))
    form = _under(page, button)
    assert form
    await console.send(form)


async def _opens_page(page: Page) -> str:
    """The latest link to the page for an answer."""
    return str(unescape(re.findall(r'href="([^"]+/a/[\w-]+)"', page.html)[-1]))


async def test_the_whole_loop_is_played_in_the_browser(player: Console) -> None:
    placed = await player.send((await player.get("/sandbox")).form("/sandbox/order"))
    assert "The order is placed" in placed.text

    await _press(player, ANNA, SAID.all_there)
    await _press(player, BORIS, SAID.how_many_button)
    await _press(player, BORIS, "1")
    asked = await _until(player, PAPER, lambda page: "/a/" in page.text)
    async with aiohttp.ClientSession() as phone:
        link = await _opens_page(asked)
        async with phone.get(link) as shown:
            fields = re.findall(r'name="(shown:[^"]*)" value="(\d+)"', await shown.text())
        async with phone.post(link, data={**dict(fields), "do": "all"}) as taken:
            assert taken.status == 200

    told = await _until(player, "/sandbox", lambda page: "Not all of it is there" in page.text)
    await _until(player, BUYER, lambda page: "partly confirmed" in page.text)
    await player.send(_status(told, "paid"), follow=False)
    await _press(player, ANNA, SAID.assembled)
    await _press(player, BORIS, SAID.assembled)
    task = await _until(player, PAPER, lambda page: page.html.count("/a/") > 2)
    async with aiohttp.ClientSession() as phone, phone.post(await _opens_page(task)) as packed:
        assert packed.status == 200

    done = await _until(player, "/sandbox", lambda page: "All of it is packed" in page.text)
    shipped = await player.send(_status(done, "shipped"))
    assert "On its way to the buyer" in shipped.text
    await _until(player, BUYER, lambda page: "shipped" in page.text.lower())
    for path in ("/sandbox", ANNA, BUYER):
        check(await player.get(path), path)


def _status(page: Page, status: str) -> FormOnPage:
    return next(form for form in page.forms if ("status", status) in form.fields)


async def test_people_write_to_the_bot(player: Console) -> None:
    page = await player.get(ANNA)
    assert "Nothing has come here yet" in page.text

    await player.send(page.form("/sandbox/say"), text="/help")

    page = await _until(player, ANNA, lambda page: "Nothing has come" not in page.text)
    assert "Tea" in page.text


async def _kept(hub: Hub, *, shop: str = "main") -> str:
    """A question to somebody in Telegram; the id of the message."""
    buttons = ((Button("Yes", "yes-data"), Button("Labels", url="https://shop.example/l")),)
    message = Message(
        key="00000000-0000-0000-0000-000000000001",
        to="77",
        text="Is <b>tea</b> there?",
        html="Is <b>tea</b> there? <script>alert(1)</script>",
        buttons=buttons,
    )
    [id_] = await sandbox.keeper(hub.db, hub.shop(shop).id)(Channel.TELEGRAM, [message])
    return id_


async def _letter(hub: Hub) -> str:
    message = Message(
        key="00000000-0000-0000-0000-000000000002",
        to="vera@example.com",
        subject="Order 7",
        text="Order 7",
        html="<html><head><title>x</title></head><body><script>alert(1)</script>Order 7</body></html>",
    )
    [id_] = await sandbox.keeper(hub.db, hub.shop("main").id)(Channel.EMAIL, [message])
    return id_


async def test_a_message_is_shown_as_its_receiver_sees_it(hub: Hub, console: Console) -> None:
    await _kept(hub)
    await _letter(hub)

    page = await console.get("/sandbox")

    assert "<strong>tea</strong>" in page.html
    assert "<script>alert" not in page.html
    assert page.links["Labels"] == "https://shop.example/l"
    assert _under(page, "Yes")
    check(page, "/sandbox")


async def test_a_letter_runs_nothing(hub: Hub, console: Console) -> None:
    id_ = await _letter(hub)

    page = await console.get(f"/sandbox/letter/{id_}")

    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert '<base target="_blank"></head>' in page.html
    assert (await console.get(f"/sandbox/letter/{await _kept(hub, shop='other')}")).status == 404


async def test_a_press_is_stored_as_the_messenger_would_tell_it(hub: Hub, console: Console) -> None:
    id_ = await _kept(hub)
    form = _under(await console.get("/sandbox"), "Yes")
    assert form

    with_script = await console.post(form.action, htmx=True, data="yes-data")
    without = await console.send(form, follow=False)

    assert (with_script.status, with_script.headers["HX-Trigger"]) == (204, "played")
    assert (without.status, without.headers["Location"]) == (303, "/console/main/sandbox")
    rows = await hub.db.fetch("SELECT chat, raw FROM bot_update ORDER BY id")
    assert [(r["chat"], r["raw"]["message"], r["raw"]["data"]) for r in rows] == [
        ("77", id_, "yes-data")
    ] * 2


async def test_it_answers_only_where_something_is_new(hub: Hub, console: Console) -> None:
    await _kept(hub)
    [live] = (await console.get("/sandbox")).with_attribute("hx-get")
    path = live["hx-get"] or ""

    same = await console.get(path, htmx=True)
    await _letter(hub)
    new = await console.get(path, htmx=True)

    assert same.status == 204
    assert new.status == 200
    assert "Order 7" in new.text


async def test_who_may_not_see_addresses_sees_no_messages(
    hub: Hub, console_for: ConsoleFor
) -> None:
    id_ = await _kept(hub)
    reader = await console_for(Role.READER)
    looks = await console_for(Role.READER, "looks@shop.example", also=frozenset({Right.ADDRESSES}))

    hidden, seen = await reader.get("/sandbox"), await looks.get("/sandbox")

    assert "Is tea" not in hidden.text
    assert "Is tea there?" in seen.text
    assert _under(seen, "Yes") is None
    for path in (f"/sandbox/letter/{id_}", "/sandbox/device?channel=telegram&to=77"):
        assert (await reader.get(path)).status == 403
    for path in (f"/sandbox/{id_}/press", "/sandbox/say", "/sandbox/order"):
        assert (await looks.post(path, data="x")).status == 403


async def test_another_shops_messages_are_not_there(hub: Hub, console: Console) -> None:
    id_ = await _kept(hub, shop="other")

    assert "Is tea there" not in (await console.get("/sandbox")).text
    assert "Is tea" not in (await console.get("/sandbox/device?channel=telegram&to=77")).text
    assert (await console.post(f"/sandbox/{id_}/press", data="x")).status == 404


async def test_what_makes_no_sense_is_said(console: Console) -> None:
    wrong = await console.get("/sandbox/device?channel=telegram&to=abc")
    nowhere = await console.get("/sandbox/device?channel=pigeon&to=1")
    empty = await console.post("/sandbox/say", channel="telegram", to="77", text=" ")

    assert "no such address" in wrong.text
    assert "Choose a channel" in nowhere.text
    assert "Write something" in empty.text
    assert {wrong.status, nowhere.status, empty.status} == {400}


async def test_a_trial_order_writes_to_nobody_real(
    hub: Hub, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = (await console.get("/sandbox")).form("/sandbox/order")
    # As if every account were somebody else's.
    monkeypatch.setattr(sandbox_trial, "SANDBOX", "nobody")

    refused = await console.send(form)

    assert "Not placed" in refused.text
    assert not [one for one in refused.forms if one.action.endswith("/sandbox/order")]
    assert await hub.db.fetchval("SELECT count(*) FROM shop_order") == 0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a <b>b</b>\n<i>c</i>", "a <strong>b</strong>\n<em>c</em>"),
        ("<script>x</script><img src=x onerror=y>", "x"),
        ("<b onclick='x'>b</b>", "<strong>b</strong>"),
        ("<b>never closed", "<strong>never closed</strong>"),
        ("</b>never opened", "never opened"),
        ("<b><i>crossed</b></i>", "<strong><em>crossed</em></strong>"),
        ("1 &lt; 2 &amp; <x>3</x>", "1 &lt; 2 &amp; 3"),
        ("<a href='javascript:alert(1)'>x</a>", "x"),
        ("<a href=' JavaScript:alert(1)'>x</a>", "x"),
        ("<a href='data:text/html,x'>x</a>", "x"),
        ("<a href='https://[x'>x</a>", "x"),
        (
            "<a href='https://x.example/?a=1&amp;b=\"'>x</a>",
            '<a href="https://x.example/?a=1&amp;b=&quot;" target="_blank" rel="noopener noreferrer">x</a>',
        ),
    ],
)
def test_of_a_bubble_only_known_tags_pass(given: str, shown: str) -> None:
    assert bubble(given) == shown
