"""One's own settings."""

import re

import pyotp

from hub.operators import factor, queries, sessions
from hub.resources import Hub
from tests.hub.console.client import Console, Page
from tests.hub.console.conftest import PASSWORD, ConsoleFor, enter

NEW = "a long new password"


async def test_language_zone_and_look_are_kept(hub: Hub, console: Console) -> None:
    page = await console.get("/me")

    page = await console.send(
        page.form("/me"), name="Anna", locale="ru", timezone="Asia/Tomsk", theme="dark"
    )

    assert "Сохранено" in page.text
    [html] = [given for tag, given in page.tags if tag == "html"]
    assert (html["lang"], html["data-theme"]) == ("ru", "dark")
    [one] = await queries.listed(hub.db)
    assert (one.operator.name, one.operator.timezone) == ("Anna", "Asia/Tomsk")
    await console.send(page.form("/me"), timezone="Mars/Olympus", theme="pink", locale="xx")
    [one] = await queries.listed(hub.db)
    assert (one.operator.timezone, one.operator.theme, one.operator.locale) == (None, "dark", "ru")


async def test_the_switch_in_the_frame_turns_the_look_and_goes_back(console: Console) -> None:
    page = await console.get("/audit?object=x")

    page = await console.send(page.form("/me/theme"))

    assert page.url.endswith("/console/main/audit?object=x")
    assert [given["data-theme"] for tag, given in page.tags if tag == "html"] == ["dark"]
    page = await console.post("/me/theme", follow=False, back="https://evil.example/")
    assert page.headers["Location"] == "/console/"


async def test_the_password_changes_and_ends_other_sessions(
    hub: Hub, url: str, console: Console
) -> None:
    [me] = await queries.listed(hub.db)
    async with await enter(hub, url, me.operator) as elsewhere:
        page = await console.get("/me")
        form = page.form("/me/password")
        for present, password, again, said in (
            ("wrong password", NEW, NEW, "not your present password"),
            (PASSWORD, "short", "short", "10 characters"),
            (PASSWORD, NEW, "other", "passwords differ"),
        ):
            page = await console.send(form, present=present, password=password, again=again)
            assert page.status == 422
            assert said in page.text
            assert NEW not in page.html
        assert (await elsewhere.get("/audit", follow=False)).status == 200

        page = await console.send(form, present=PASSWORD, password=NEW, again=NEW)

        assert "The password is changed" in page.text
        assert (await elsewhere.get("/audit", follow=False)).status == 303
        assert (await console.get("/audit", follow=False)).status == 200


async def test_the_present_password_cannot_be_guessed(console: Console) -> None:
    form = (await console.get("/me")).form("/me/password")
    for _ in range(5):
        await console.send(form, present="wrong password", password=NEW, again=NEW)

    page = await console.send(form, present=PASSWORD, password=NEW, again=NEW)

    assert page.status == 422
    assert "Too many attempts" in page.text


async def _switched_on(console: Console) -> tuple[str, Page]:
    page = await console.get("/me/second")
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page.html)
    assert secret
    key = secret[1].replace(" ", "")
    form = page.form("/me/second")
    page = await console.send(form, code=pyotp.TOTP(key).now(), present=PASSWORD)
    return key, page


async def test_the_second_factor_is_switched_on_with_a_code_and_the_password(
    hub: Hub, console: Console
) -> None:
    page = await console.get("/me/second")
    assert '<svg role="img"' in page.html
    form = page.form("/me/second")
    wrong = await console.send(form, code="000000", present=PASSWORD)
    assert wrong.status == 422
    assert "The code is not right" in wrong.text
    wrong = await console.send(form, code="000000", present="wrong password")
    assert "not your present password" in wrong.text
    [me] = await queries.listed(hub.db)
    assert not me.operator.totp

    key, page = await _switched_on(console)

    codes = re.findall(r"<li><code>([a-z2-9]{6}-[a-z2-9]{6})</code></li>", page.html)
    assert len(set(codes)) == factor.RECOVERY_CODES
    [me] = await queries.listed(hub.db)
    assert me.operator.totp
    rows = str(await hub.db.fetch("SELECT * FROM operator, audit"))
    assert key not in rows
    assert codes[0] not in rows
    assert "Recovery codes left: 8" in (await console.get("/me")).text


async def test_it_is_switched_off_with_the_password(hub: Hub, console: Console) -> None:
    await _switched_on(console)
    form = (await console.get("/me")).form("/me/second/off")
    assert (await console.send(form, present="wrong password")).status == 422

    page = await console.send(form, present=PASSWORD)

    assert "The second factor is off" in page.text
    [me] = await queries.listed(hub.db)
    assert not me.operator.totp
    rows = await hub.db.fetch("SELECT action FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == ["operator.totp_on", "operator.totp_off"]


async def test_anothers_secret_is_of_no_use(hub: Hub, console_for: ConsoleFor) -> None:
    one, two = await console_for(), await console_for(login="eva@shop.example")
    page = await one.get("/me/second")
    secret = dict(page.form("/me/second").fields)["secret"]

    page = await two.post("/me/second", secret=secret, code="000000", present=PASSWORD)
    assert page.path == "/console/main/me"
    page = await two.post("/me/second", secret="x", code="000000", present=PASSWORD)
    assert "It took too long" in page.text


async def test_own_sessions_can_be_ended_but_not_others(
    hub: Hub, url: str, console: Console, console_for: ConsoleFor
) -> None:
    eva = await console_for(login="eva@shop.example")
    [hers] = [
        o.operator for o in await queries.listed(hub.db) if o.operator.login.startswith("eva")
    ]
    [session] = await sessions.of(hub.db, hers.id)

    await console.post("/me/sessions/end", session=str(session.id))
    assert (await eva.get("/audit")).status == 200
    [me] = [o.operator for o in await queries.listed(hub.db) if o.operator.id != hers.id]
    async with await enter(hub, url, me) as one, await enter(hub, url, me) as two:
        page = await console.get("/me")
        await console.send(page.form("/me/sessions/end"))
        assert [(await c.get("/audit", follow=False)).status for c in (one, two)] == [303, 303]
    assert (await console.get("/audit", follow=False)).status == 200
