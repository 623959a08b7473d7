"""Signing in and out, and who is kept out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic
from urllib.parse import urlencode

import pyotp
import pytest
from argon2 import PasswordHasher

from hub.operators import factor, passwords, people, sessions, tries
from hub.operators.model import IDLE, LONGEST, Operator, Role
from hub.operators.queries import actor_of
from hub.resources import Hub
from tests.hub.console.client import Console, Page
from tests.hub.console.conftest import PASSWORD, add_operator, enter

LOGIN = "owner@shop.example"


@pytest.fixture
async def owner(hub: Hub) -> Operator:
    return await add_operator(hub, LOGIN)


@pytest.fixture
async def browser(url: str) -> AsyncIterator[Console]:
    async with Console(url) as browser:
        yield browser


async def sign_in(
    browser: Console,
    password: str = PASSWORD,
    login: str = LOGIN,
    *,
    query: str = "",
    follow: bool = False,
) -> Page:
    body = urlencode({"login": login, "password": password})
    return await browser.call("POST", f"/console/sign-in{query}", body, follow=follow)


async def _actions(hub: Hub) -> list[str]:
    rows = await hub.db.fetch("SELECT action FROM audit ORDER BY id")
    return [row["action"] for row in rows]


async def test_whoever_knows_the_password_gets_in(
    hub: Hub, owner: Operator, browser: Console
) -> None:
    page = await browser.get("/console/", follow=True)
    assert page.path == "/console/sign-in"

    page = await sign_in(browser, login=f" {LOGIN.upper()} ", follow=True)

    assert page.status == 200
    assert page.path.startswith("/console/main/")
    assert await _actions(hub) == ["operator.signed_in"]
    assert (await browser.get("/audit")).status == 200


async def test_the_cookie_is_for_the_console_alone(owner: Operator, browser: Console) -> None:
    cookie = (await sign_in(browser)).headers["Set-Cookie"]

    assert cookie.startswith("vestnik=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_https_it_can_be_set_by_nobody_else(owner: Operator, browser: Console) -> None:
    """Where the browser says that it came by https, though a proxy in front speaks plainly with the hub."""
    browser.headers["Origin"] = "https://hub.example"

    cookie = (await sign_in(browser)).headers["Set-Cookie"]

    assert cookie.startswith("__Host-vestnik=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Secure"} <= set(cookie.split("; "))


async def test_by_the_public_name_no_plain_cookie_counts(
    hub: Hub, url: str, owner: Operator
) -> None:
    """A page beside ours could have planted it, with a session of its own."""
    async with await enter(hub, url, owner) as browser:
        page = await browser.call("GET", "/audit", headers={"Host": "hub.example"}, follow=False)

    assert page.status == 303


async def test_a_sign_in_is_a_new_session_and_ends_the_one_before(
    hub: Hub, url: str, owner: Operator
) -> None:
    async with await enter(hub, url, owner) as browser:
        before = browser.cookies["vestnik"]

        await sign_in(browser)

        assert browser.cookies["vestnik"] != before
        assert await sessions.find(hub.db, before) is None


async def test_a_cookie_that_somebody_made_up_opens_nothing(
    owner: Operator, browser: Console
) -> None:
    browser.sign_in_with("x" * 43, "")

    assert (await browser.get("/audit", follow=False)).status == 303


@pytest.mark.parametrize(
    ("login", "password"), [(LOGIN, "wrong password"), ("nobody@shop.example", PASSWORD), ("", "")]
)
async def test_nobody_is_told_what_was_wrong(
    hub: Hub, owner: Operator, browser: Console, login: str, password: str
) -> None:
    page = await sign_in(browser, password, login)

    assert page.status == 422
    assert "The e-mail or the password is not right" in page.text
    assert password not in page.html or not password
    assert "Set-Cookie" not in page.headers
    assert await _actions(hub) == ["operator.sign_in_refused"]


async def test_an_unknown_login_takes_as_long(owner: Operator, browser: Console) -> None:
    """By the work done: the hash that is looked at has the costs of those that are kept."""
    assert not passwords.is_dated(passwords.NOBODYS)
    started = monotonic()
    await passwords.is_right("whatever it is", None)
    assert monotonic() - started > 0.01


async def test_hashes_are_argon2id_and_renewed_when_they_are_dated(
    hub: Hub, owner: Operator, browser: Console
) -> None:
    await sign_in(browser)

    kept = await hub.db.fetchval("SELECT password_hash FROM operator")
    assert kept.startswith("$argon2id$")
    assert not passwords.is_dated(kept)
    assert PasswordHasher().verify(kept, PASSWORD)


async def test_five_wrong_ones_close_the_door_for_a_while(
    hub: Hub, url: str, owner: Operator
) -> None:
    """For the right password, too, from wherever somebody comes; others' logins are free."""
    async with Console(url) as browser:
        for _ in range(5):
            assert (await sign_in(browser, "wrong password")).status == 422

        page = await sign_in(browser)

        assert page.status == 429
        assert "Try again in 15 min" in page.text
        assert 800 < int(page.headers["Retry-After"]) <= 900
        await hub.db.execute("UPDATE operator_try SET at = at - interval '15 min'")
        assert (await sign_in(browser)).status == 303
    assert await hub.db.fetchval("SELECT count(*) FROM operator_try") == 0


async def test_many_at_once_get_no_more_tries_than_one_by_one(
    hub: Hub, owner: Operator, browser: Console
) -> None:
    pages = await asyncio.gather(*(sign_in(browser, f"wrong {n}") for n in range(12)))

    assert sorted(page.status for page in pages) == [422] * 5 + [429] * 7


async def test_who_guesses_cannot_keep_the_owner_out(
    hub: Hub, url: str, owner: Operator, browser: Console
) -> None:
    """He has a session from his address; the one who guesses is elsewhere."""
    async with await enter(hub, url, owner):
        for _ in range(5):
            await tries.begin(hub.db, tries.key_of_login(hub.signer, LOGIN), 5)

        assert (await sign_in(browser)).status == 303


async def test_an_address_has_its_own_count(hub: Hub, browser: Console, owner: Operator) -> None:
    for _ in range(20):
        await tries.begin(hub.db, tries.key_of_address(hub.signer, "127.0.0.1"), 20)

    assert (await sign_in(browser)).status == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_no_other_site_can_sign_somebody_in(
    owner: Operator, browser: Console, headers: dict[str, str]
) -> None:
    """Else it could sign him in as somebody else, and read what he then writes."""
    browser.headers |= headers

    page = await sign_in(browser)

    assert page.status == 403
    assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/console/main/audit?action=key.created", "/console/main/audit?action=key.created"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/", "/console/"),
        ("/\\evil.example", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("/console//evil.example", "/console/"),
        ("/console/../v1/keys", "/console/"),
        ("/console/%2e%2e/v1", "/console/"),
        ("/console/x\r\nSet-Cookie: a=b", "/console/"),
        ("/docs", "/console/"),
        ("javascript:alert(1)", "/console/"),
        ("", "/console/"),
    ],
)
async def test_afterwards_one_is_where_one_wanted_to_go_but_never_elsewhere(
    owner: Operator, browser: Console, asked: str, led: str
) -> None:
    page = await sign_in(browser, query=f"?{urlencode({'next': asked})}")

    assert (page.status, page.headers["Location"]) == (303, led)


async def test_the_page_that_was_asked_for_is_remembered(owner: Operator, browser: Console) -> None:
    page = await browser.get("/audit?object=x%20y")
    assert page.path == "/console/sign-in"

    page = await browser.send(page.form("sign-in"), login=LOGIN, password=PASSWORD)

    assert page.url.endswith("/console/main/audit?object=x%20y")


async def test_who_was_out_when_he_sent_a_form_is_told_so_and_led_back_to_it(
    url: str, owner: Operator, browser: Console
) -> None:
    browser.headers["Referer"] = f"{url}/console/main/people?q=a%20b"

    page = await browser.post("/people/1/write", text="Hello")
    assert page.path == "/console/sign-in"
    assert "what you sent was not kept" in page.text
    # In the other language, too.
    page = await browser.get(f"{page.path}{page.links['Русский']}")
    assert "отправленное не сохранено" in page.text
    browser.headers["Referer"] = ""
    page = await browser.send(page.form("sign-in"), login=LOGIN, password=PASSWORD)

    assert page.url.endswith("/console/main/people?q=a%20b")


async def test_no_other_sites_page_is_led_back_to(browser: Console) -> None:
    for page_of_somebody in ("https://evil.example/a", "http://[", "https://evil.example//x"):
        browser.headers["Referer"] = page_of_somebody

        page = await browser.post("/people/1/write", follow=False)

        assert page.headers["Location"] == "/console/sign-in?ended=1"


async def test_signing_out_ends_the_session(hub: Hub, url: str, owner: Operator) -> None:
    async with await enter(hub, url, owner) as browser:
        token = browser.cookies["vestnik"]
        page = await browser.get("/audit")

        page = await browser.send(page.form("/sign-out"))

        assert page.path == "/console/sign-in"
        assert await sessions.find(hub.db, token) is None
        assert "operator.signed_out" in await _actions(hub)


async def test_no_other_page_can_sign_somebody_out(hub: Hub, url: str, owner: Operator) -> None:
    async with await enter(hub, url, owner) as browser:
        page = await browser.call("POST", "/console/sign-out", "csrf=x")

        assert page.status == 403
        assert (await browser.get("/audit")).status == 200


async def test_sessions_end_by_themselves(hub: Hub, url: str, owner: Operator) -> None:
    for column, back in (("seen_at", IDLE), ("expires_at", LONGEST)):
        async with await enter(hub, url, owner) as browser:
            assert (await browser.get("/audit", follow=False)).status == 200
            await hub.db.execute(
                f"UPDATE operator_session SET {column} = {column} - $1::interval", back
            )
            assert (await browser.get("/audit", follow=False)).status == 303


async def test_a_page_that_looks_for_news_by_itself_is_no_use_of_the_session(
    hub: Hub, url: str, owner: Operator
) -> None:
    async with await enter(hub, url, owner) as browser:
        await hub.db.execute("UPDATE operator_session SET seen_at = now() - interval '1 hour'")

        await browser.get("/audit", htmx=True)
        assert await hub.db.fetchval(
            "SELECT seen_at < now() - interval '59 min' FROM operator_session"
        )
        await browser.get("/audit")
        assert await hub.db.fetchval(
            "SELECT seen_at > now() - interval '1 min' FROM operator_session"
        )


async def test_who_is_out_is_led_to_the_door_by_htmx(browser: Console) -> None:
    page = await browser.get("/audit", htmx=True)

    assert (page.status, page.headers["HX-Redirect"]) == (200, "/console/sign-in")

    at = {"HX-Request": "true", "HX-Current-URL": f"{browser.url}/console/main/stock?tab=late"}
    page = await browser.call("GET", "/stock", headers=at)

    assert page.headers["HX-Redirect"] == ("/console/sign-in?next=/console/main/stock%3Ftab%3Dlate")


async def test_who_is_disabled_or_loses_the_shop_is_out_at_once(
    hub: Hub, url: str, owner: Operator
) -> None:
    async with await enter(hub, url, owner) as browser:
        await hub.db.execute("DELETE FROM operator_shop")
        page = await browser.get("/audit")
        assert page.status == 403
        assert "no access to any shop" in page.text
        await hub.db.execute("UPDATE operator SET disabled_at = now()")
        assert (await browser.get("/audit", follow=False)).status == 303
        assert (await sign_in(browser)).status == 422


async def _with_second(hub: Hub, owner: Operator) -> tuple[str, list[str]]:
    """The secret, and the recovery codes."""
    secret = pyotp.random_base32()
    codes = await people.totp_on(
        hub.db, hub.signer, owner, secret, pyotp.TOTP(secret).now(), by=actor_of(owner)
    )
    assert codes
    await hub.db.execute("UPDATE operator SET totp_used = 0")
    return secret, list(codes)


async def test_the_second_factor_is_asked_for_and_each_code_is_good_once(
    hub: Hub, url: str, owner: Operator, browser: Console
) -> None:
    secret, _ = await _with_second(hub, owner)
    page = await sign_in(browser, query="?next=/console/main/audit")
    assert page.status == 200
    assert "Set-Cookie" not in page.headers
    code = pyotp.TOTP(secret).now()

    page = await browser.send(page.form("/sign-in/code"), code=f"{code[:3]} {code[3:]}")

    assert page.path == "/console/main/audit"
    async with Console(url) as other:
        again = await sign_in(other)
        again = await other.send(again.form("/sign-in/code"), code=code)
        assert again.status == 422
        assert "The code is not right" in again.text


async def test_a_recovery_code_stands_in_once(hub: Hub, url: str, owner: Operator) -> None:
    _, codes = await _with_second(hub, owner)
    results = []
    for _ in range(2):
        async with Console(url) as browser:
            page = await sign_in(browser)
            page = await browser.send(
                page.form("/sign-in/code"), follow=False, code=codes[0].upper()
            )
            results.append(page.status)

    assert results == [303, 422]
    assert await people.recovery_left(hub.db, owner.id) == 7


async def test_codes_cannot_be_guessed(hub: Hub, owner: Operator, browser: Console) -> None:
    await _with_second(hub, owner)
    page = await sign_in(browser)
    form = page.form("/sign-in/code")

    statuses = [(await browser.send(form, code="000000")).status for _ in range(6)]

    assert statuses == [422] * 5 + [429]


async def test_the_second_step_ends_with_another_password_and_takes_no_other_token(
    hub: Hub, owner: Operator, browser: Console
) -> None:
    secret, _ = await _with_second(hub, owner)
    form = (await sign_in(browser)).form("/sign-in/code")
    await hub.db.execute("UPDATE operator SET password_hash = password_hash || 'x'")

    for token in (dict(form.fields)["token"], "x", hub.signer.sign("other", owner.id.bytes + b"x")):
        page = await browser.send(form, token=token, code=pyotp.TOTP(secret).now())
        assert page.status == 422
        assert "Please sign in once more" in page.text


def test_codes_are_good_for_a_step_before_and_after() -> None:
    secret, now = pyotp.random_base32(), 1_800_000_000.0
    totp = pyotp.TOTP(secret)

    for away, good in ((0, True), (-30, True), (30, True), (-60, False), (60, False)):
        assert (factor.step_of(secret, totp.at(int(now) + away), now) is not None) is good
    for code in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert factor.step_of(secret, code, now) is None


async def test_neither_passwords_nor_tokens_are_logged(
    hub: Hub, owner: Operator, browser: Console, capfd: pytest.CaptureFixture[str]
) -> None:
    await sign_in(browser, "a wrong secret word")
    await sign_in(browser)

    said = "".join(capfd.readouterr())
    rows = await hub.db.fetch("SELECT * FROM audit")
    for text in (said, str(rows)):
        assert "a wrong secret word" not in text
        assert browser.cookies["vestnik"] not in text
    kept = str(await hub.db.fetch("SELECT * FROM operator_session"))
    assert browser.cookies["vestnik"] not in kept


async def test_sign_ins_stand_in_the_log_of_each_shop(hub: Hub, browser: Console) -> None:
    await add_operator(hub, LOGIN, Role.READER)
    await sign_in(browser)

    [row] = await hub.db.fetch("SELECT * FROM audit")
    assert (row["shop_id"], row["actor"], row["actor_name"]) == (
        hub.shop("main").id,
        "operator",
        LOGIN,
    )
    assert row["remote"] == "127.0.0.1"


def test_durations_are_as_promised() -> None:
    assert (timedelta(hours=12), timedelta(days=14)) == (IDLE, LONGEST)
