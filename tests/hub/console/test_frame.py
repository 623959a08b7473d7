"""What the frame gives to pages: parts for htmx, notes, moments, masks, rights."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from aiohttp import web

from hub.api.console import rendering
from hub.api.console.frame import Visit, framed, masked, masked_id, masked_name
from hub.api.console.menu import MENU, offered, present
from hub.api.console.orders_shown import staff_name
from hub.config import Shop as ShopSettings
from hub.content.formats import formats
from hub.ids import new_id
from hub.operators.model import RIGHTS, Membership, Operator, Right, Role, Session
from hub.resources import Hub
from hub.shops.registry import Shop
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


async def test_htmx_gets_the_part_and_everybody_else_the_page(console: Console) -> None:
    whole = await console.get("/audit?part=main")
    part = await console.get("/audit", part="main")
    unknown = await console.get("/audit", part="nonsense")

    assert "<html" in whole.html
    assert "<html" not in part.html
    assert "<h1>Audit log</h1>" in part.html
    assert unknown.html == part.html
    assert part.headers["Vary"] == "HX-Request"


async def test_a_note_is_one_of_the_words_and_nothing_else(console: Console) -> None:
    said = await console.get("/me?said=session_ended")
    assert "The session is over" in said.text
    bad = await console.get("/me?said=late&kind=bad")
    assert [g["class"] for g in bad.with_attribute("role") if g["role"] == "alert"] == ["note bad"]
    for nonsense in ("nothing", "Your account is locked, call 8-800", "notes", "__class__"):
        page = await console.get("/me", said=nonsense)
        assert page.status == 200
        assert "locked" not in page.text


async def test_pages_are_in_the_operators_language_and_zone(console_for: ConsoleFor) -> None:
    page = await (await console_for(locale="ru")).get("/audit")

    assert [given["lang"] for tag, given in page.tags if tag == "html"] == ["ru"]
    assert "Журнал" in page.text


async def test_the_menu_offers_what_may_be_done(console_for: ConsoleFor) -> None:
    owner = await (await console_for(Role.OWNER)).get("/me")
    reader = await (await console_for(Role.READER)).get("/me")

    assert "Operators" in owner.links
    assert "Operators" not in reader.links
    assert "Audit log" not in reader.links


def test_entries_nobody_serves_are_left_out() -> None:
    everything = {entry.path for entry in MENU}
    warehouse = RIGHTS[Role.WAREHOUSE]

    assert offered(RIGHTS[Role.OWNER], everything) == list(MENU)
    assert [e.name for e in offered(RIGHTS[Role.OWNER], {"/", "/audit"})] == ["home", "audit"]
    assert {"templates", "set_up", "operators"}.isdisjoint(
        e.name for e in offered(warehouse, everything)
    )
    assert len({entry.key for entry in MENU}) == len(MENU)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "home"), ("/messages", "messages"), ("/messages/x/y", "messages"), ("/me", "")],
)
def test_where_one_is_is_shown(path: str, name: str) -> None:
    assert present(path) == name


@pytest.mark.parametrize(
    ("away", "ru", "en"),
    [
        (timedelta(seconds=2), "только что", "just now"),
        (timedelta(minutes=-5), "5 мин. назад", "5 min. ago"),
        (timedelta(minutes=20), "через 20 мин.", "in 20 min."),
        (timedelta(days=-3), "28 нояб., 15:00", "28 Nov, 15:00"),
    ],
)
def test_moments_are_said_as_people_say_them(away: timedelta, ru: str, en: str) -> None:
    for locale, said in (("ru", ru), ("en", en)):
        found = rendering.moment(formats(locale, "Europe/Moscow"), NOW + away, NOW)

        assert found.short == said
        assert found.iso == (NOW + away).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.42, "0,4 с"),
        (9.96, "10 с"),
        (59, "59 с"),
        (185, "3 мин 5 с"),
        (7800, "2 ч 10 мин"),
        (3 * 86400 + 3600, "3 дн 1 ч"),
        (-1, "0 с"),
    ],
)
def test_durations_are_short(seconds: float, said: str) -> None:
    assert rendering.span(formats("ru", "UTC"), timedelta(seconds=seconds)) == said


def _visit(role: Role) -> Visit:
    operator = Operator(
        new_id(), "a@b.example", "", "ru", None, "auto", False, {1: Membership(role)}
    )
    session = Session(new_id(), operator.id, "", "", "", NOW, NOW, NOW)
    shop = Shop(1, "main", ShopSettings())
    return Visit(cast("web.Request", None), cast("Hub", None), shop, operator, session, "")


@pytest.mark.parametrize(
    ("value", "kind", "seen"),
    [
        ("anna.petrova@mail.example.ru", "email", "a•••@m•••.ru"),
        ("+79991234567", "phone", "+7 ••• •• 67"),
        ("123456789", "telegram", "•••89"),
        ("1234", "vk", "•••"),
        ("", "email", ""),
    ],
)
def test_addresses_are_whole_for_those_who_may_see_them(value: str, kind: str, seen: str) -> None:
    assert masked(_visit(Role.OPERATOR), value, kind) == value
    assert masked(_visit(Role.WAREHOUSE), value, kind) == seen


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("buyer-42", "buyer-42"),
        ("1001", "1001"),
        ("", ""),
        ("anna@example.com", "a•••@e•••.com"),
        ("+79991234567", "+7 ••• •• 67"),
        ("89991234567", "+7 ••• •• 67"),
    ],
)
def test_an_id_that_is_an_address_is_masked_like_one(value: str, seen: str) -> None:
    assert masked_id(_visit(Role.OPERATOR), value) == value
    assert masked_id(_visit(Role.READER), value) == seen
    # Names of those who answer for the goods are known to whoever works at the shelf, their phones are not.
    assert staff_name(_visit(Role.WAREHOUSE), value) == seen


def test_names_are_letters_for_those_who_may_not_see_them() -> None:
    assert masked_name(_visit(Role.OWNER), "Анна Петрова") == "Анна Петрова"
    assert masked_name(_visit(Role.READER), "Анна Петрова") == "А. П."
    assert not _visit(Role.READER).may(Right.ADDRESSES)


def test_somebody_elses_page_can_do_nothing() -> None:
    response = framed("<script>alert(1)</script>")
    policy = response.headers["Content-Security-Policy"]

    assert "sandbox" in policy
    assert "script" not in policy
    assert "allow-same-origin" not in policy
    assert "frame-ancestors 'self'" in policy
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_words_named_like_what_mappings_can_do_are_words() -> None:
    template = rendering.ENVIRONMENT.from_string(
        "{{ said.keys }}{{ said.copy }}{{ said.get('x') }}"
    )

    assert template.render(said={"keys": "a", "copy": "b", "x": "c"}) == "abc"


def test_a_picture_of_a_link_holds_its_label_as_text() -> None:
    drawn = rendering.qr("https://hub.example/x", 'a "label" <b>')

    assert 'aria-label="a &#34;label&#34; &lt;b&gt;"' in drawn
    assert "style=" not in drawn


def test_devices_are_named_as_people_know_them() -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120 YaBrowser/24 Safari/537"

    assert rendering.browser(agent) == "Яндекс Браузер, Windows"
    assert rendering.browser("curl/8") == "curl"
    assert rendering.browser("") == ""


async def test_what_cannot_be_done_is_said_in_the_operators_language(
    hub: Hub, console_for: ConsoleFor
) -> None:
    owner = await console_for(locale="ru")
    me = await hub.db.fetchval("SELECT id FROM operator")

    assert "Сначала сделайте владельцем" in (await owner.post(f"/operators/{me}/remove")).text
    assert "ссылка устарела" in (await owner.get("/nothing")).text
    assert "Форма устарела" in (await owner.call("POST", "/me/theme", "csrf=x")).text
