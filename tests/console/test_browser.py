"""An operator's first day: every page, by somebody who has just started the hub."""

import json
import re
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Route, StorageState, expect

from tests.console.conftest import LOGIN, PASSWORD, House
from tests.console.looks import DESKTOP, PHONE, Look, look_at, seen
from tests.e2e.process import call, eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def owner(browser: Browser, house: House) -> StorageState:
    """Made by the link that the first start prints; signed in."""
    with seen(browser, DESKTOP) as page:
        page.goto(house.link)
        assert look_at(page, "first-desktop") == []
        page.get_by_label(re.compile("почт|e-mail", re.I)).fill(LOGIN)
        page.locator("input[name=name]").fill("Ольга")
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=again]").fill(PASSWORD)
        page.get_by_role("button").last.click()
        expect(page).to_have_url(re.compile(r"/console/main/?$"))
        return page.context.storage_state()


def sign_in(page: Page, house: House) -> None:
    page.goto(f"{house.url}/console/sign-in")
    page.locator("input[name=login]").fill(LOGIN)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit], form button[type=submit]").first.click()


@pytest.mark.parametrize(
    ("locale", "look"),
    [
        pytest.param("ru", PHONE, id="ru-phone"),
        pytest.param("en", DESKTOP, id="en-desktop"),
        pytest.param("ru", DESKTOP, id="ru-desktop", marks=pytest.mark.soak),
        pytest.param("en", PHONE, id="en-phone", marks=pytest.mark.soak),
    ],
)
def test_every_page_is_for_everybody(
    browser: Browser, house: House, owner: StorageState, look: Look, locale: str
) -> None:
    with seen(browser, look, owner) as page:
        _speak(page, house, locale)
        faults = []
        for path in _pages(page, house):
            answer = page.goto(f"{house.url}{path}")
            assert answer
            assert answer.status == 200, path
            name = urlsplit(path).path.removeprefix("/console/main").strip("/") or "home"
            faults += look_at(page, f"{name.replace('/', '-')}-{look.name}-{locale}")
        assert faults == []


def test_why_she_was_told_what_is_found_by_the_order(
    browser: Browser, house: House, owner: StorageState
) -> None:
    [order] = call(f"{house.url}/v1/orders?limit=1", house.key)["items"]
    with seen(browser, PHONE, owner) as page:
        _speak(page, house, "ru")
        page.goto(f"{house.url}/console/main/messages")
        page.locator("input[name=q]").fill(order["number"])
        page.locator("input[name=q]").press("Enter")
        expect(page.locator("main")).to_contain_text("Вера")

        page.locator("main a[href*='/messages/']").first.click()

        expect(page.locator("main")).to_contain_text("Telegram")
        assert look_at(page, "message-phone") == []


def test_a_trial_order_goes_its_whole_way_in_the_sandbox(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, DESKTOP, owner) as page:
        _speak(page, house, "ru")
        page.goto(f"{house.url}/console/main/sandbox")
        page.get_by_role("button", name="Оформить пробный заказ").click()
        trial = page.locator(".trial")
        expect(trial).to_contain_text("Пробный заказ")
        # Everybody says of his own lines that all is there: by a button, or on the page that an SMS links to.
        page.get_by_role("button", name="Всё есть").click()
        page.get_by_role("button", name="Исправить").first.wait_for()
        page.get_by_role("button", name="Есть 2").click()
        expect(page.get_by_role("button", name="Есть 2")).to_have_count(0)
        with page.expect_popup() as opened:
            page.locator(".screen.sms .msg .text a").last.click()
        opened.value.locator("button.yes").click()
        expect(opened.value.locator("button.yes")).to_have_count(0)
        assert look_at(page, "sandbox-desktop") == []

        page.locator("#t-paid").click()

        expect(trial).to_contain_text(re.compile("плачен"))
        assert page.locator(".msg").count() > 3


def test_a_text_is_mended_as_it_is_written(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, DESKTOP, owner) as page:
        _speak(page, house, "ru")
        where = "templates/order.shipped?audience=buyer&channel=sms&locale=ru"
        page.goto(f"{house.url}/console/main/{where}")
        page.locator("main a[role=button]").first.click()
        editor, preview = page.locator("#editor .editor"), page.locator("#preview")

        _type(editor, "Посылка {{ order.number }")
        expect(preview.locator(".mistake")).to_be_visible()
        assert look_at(page, "template-mistake-desktop") == []
        _type(editor, "Посылка {{ order.number }} уже в пути")
        expect(preview.locator(".mistake")).to_have_count(0)
        expect(preview.locator(".bubble")).to_contain_text(re.compile(r"Посылка \S+ уже в пути"))
        page.locator("#editor button[type=submit]").first.click()

        expect(page.locator("main")).to_contain_text("Сохранено и уже действует")
        assert look_at(page, "template-desktop") == []


def test_an_account_that_fails_says_why(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, DESKTOP, owner) as page:
        _speak(page, house, "ru")
        page.goto(f"{house.url}/console/main/set-up/try/email/smtp")
        page.locator("input[name$='host']").fill("nowhere.invalid")
        page.locator("input[name$='from']").fill("shop@example.com")
        page.locator("main form button[type=submit]").last.click()

        expect(page.locator("main [role=alert]")).to_contain_text("nowhere.invalid")
        assert look_at(page, "account-that-fails-desktop") == []


def test_signing_in_takes_the_second_factor(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, PHONE, owner) as page:
        page.goto(f"{house.url}/console/main/me/second")
        assert look_at(page, "me-second-phone") == []
        secret = page.locator("main code").first.inner_text().replace(" ", "")
        page.locator("input[name=code]").fill(pyotp.TOTP(secret).now())
        page.locator("input[name=present]").fill(PASSWORD)
        page.locator("main form button[type=submit]").click()
        codes = page.locator("ul.codes li").all_inner_texts()

    with seen(browser, DESKTOP) as page:
        sign_in(page, house)
        expect(page.locator("input[name=code]")).to_be_visible()
        assert look_at(page, "second-factor-desktop") == []
        page.locator("input[name=code]").fill(codes[0])
        page.locator("form button[type=submit]").first.click()
        expect(page).to_have_url(re.compile(r"/console/main/?$"))


def test_a_long_number_hides_no_column_and_breaks_no_word(
    browser: Browser, house: House, owner: StorageState
) -> None:
    number, title = "Заказ-" + "0123456789" * 5, "Чайник электрический с подогревом"
    line = {"id": "1", "sku": "A", "title": title, "quantity": 1, "price": "199.90"}
    placed = call(f"{house.url}/v1/orders?limit=1", house.key)["items"][0]
    at = {name: placed["lines"][0][name] for name in ("seller", "warehouse")}
    order = {"number": number, "status": "paid", "currency": "RUB", "total": "1234567.50"}
    address = f"{house.url}/v1/orders/long-number"
    call(address, house.key, order | {"lines": [line | at]}, method="PUT")

    with seen(browser, DESKTOP, owner) as page:
        _speak(page, house, "ru")
        page.goto(f"{house.url}/console/main/orders")
        expect(page.locator("main table")).to_contain_text(number)

        for path in ("orders", "messages"):
            page.goto(f"{house.url}/console/main/{path}")
            table = page.locator("main .table-wrap").first
            assert table.evaluate("it => it.scrollWidth - it.clientWidth") <= 0, path
            widths = table.locator("tbody tr").first.locator("td").evaluate_all(_WIDTHS)
            assert min(widths) > 80, path


_WIDTHS = "cells => cells.map(cell => cell.getBoundingClientRect().width)"


def test_a_storekeepers_buttons_keep_their_size_when_a_number_is_asked_for(
    browser: Browser, house: House
) -> None:
    person = {"role": "seller", "name": "Чай", "addresses": {"email": "tea@example.com"}}
    call(f"{house.url}/v1/contacts/tea", house.key, person, method="PUT")
    line = {"id": "1", "title": "Чай", "quantity": 12, "price": "99.90"}
    line["seller"] = {"external_id": "tea"}
    order = {"number": "many", "status": "placed", "currency": "RUB", "lines": [line]}
    call(f"{house.url}/v1/orders/many", house.key, order, method="PUT")
    asked = f"{house.url}/v1/sandbox/messages?to=tea@example.com"
    eventually(lambda: call(asked, house.key)["items"])

    with seen(browser, PHONE) as page:
        page.goto(_link(house, "a", to="tea@example.com"))
        labels = page.locator(".chips > label")
        before = labels.evaluate_all(_WIDTHS)
        page.get_by_text("Меньше", exact=True).click()

        expect(page.locator(".few input")).to_be_visible()
        assert labels.evaluate_all(_WIDTHS) == before


def test_quiet_hours_that_would_not_count_are_not_filled_in(browser: Browser, house: House) -> None:
    with seen(browser, PHONE) as page:
        page.goto(_link(house, "p"))
        hours = page.locator("input[type=time]").first
        expect(hours).to_be_hidden()

        page.locator("input[name=quiet]").check()

        expect(hours).to_be_visible()


def _link(house: House, kind: str, to: str = "") -> str:
    """To a page for people, from the newest message that has one: `a` for an answer, `p` for preferences."""
    about = f"&to={to}" if to else ""
    sent = call(f"{house.url}/v1/sandbox/messages?limit=200{about}", house.key)["items"]
    found = re.search(rf"{house.url}/{kind}/[\w.~-]+", json.dumps(sent))
    assert found
    return found[0]


def test_on_a_phone_the_present_tab_is_to_be_seen(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, PHONE, owner) as page:
        page.goto(f"{house.url}/console/main/set-up/rules")

        expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)


def test_keys_are_the_same_in_a_russian_layout(
    browser: Browser, house: House, owner: StorageState
) -> None:
    with seen(browser, DESKTOP, owner) as page:
        page.goto(f"{house.url}/console/main/")
        for key, code in (("п", "KeyG"), ("щ", "KeyO")):
            page.evaluate(_PRESS, [key, code])
        expect(page).to_have_url(re.compile("/orders$"))

        page.evaluate(_PRESS, [".", "Slash"])

        expect(page.locator("input[type=search]")).to_be_focused()


# The browser's own keyboard has no Russian layout.
_PRESS = """([key, code]) => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }))"""


# By hand of the page: playwright waits before a second press until the first has led somewhere.
_PRESS_TWICE = """() => {
    const button = document.querySelector("main form.card button[type=submit]");
    for (const after of [0, 400]) setTimeout(() => button.click(), after);
}"""


def test_a_button_that_is_pressed_twice_sends_once(
    browser: Browser, house: House, owner: StorageState
) -> None:
    person = {"role": "buyer", "name": "Дважды", "addresses": {"email": "twice@example.com"}}
    call(f"{house.url}/v1/contacts/twice", house.key, person, method="PUT")
    with seen(browser, DESKTOP, owner) as page:
        page.goto(f"{house.url}/console/main/people?q=twice")
        page.locator("main tbody a").first.click()
        page.locator("a[href$='/write']").click()
        page.locator("textarea[name=text]").fill("Привет")
        on_its_way: list[Route] = []
        page.route("**/write", lambda route: on_its_way.append(route))
        page.evaluate(_PRESS_TWICE)
        page.wait_for_timeout(1500)

        assert len(on_its_way) == 1
        on_its_way[0].continue_()
        expect(page).to_have_url(re.compile("/messages/"))


def test_what_was_written_is_not_lost_by_a_wrong_click(
    browser: Browser, house: House, owner: StorageState
) -> None:
    where = "templates/order.paid?audience=buyer&channel=sms&locale=ru&edit=1"
    with seen(browser, DESKTOP, owner) as page:
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        page.goto(f"{house.url}/console/main/{where}")
        editor = page.locator("#editor .editor")
        _type(editor, "Оплачено: {{ order.number }}")
        page.locator("nav.side a[data-key=h]").click(no_wait_after=True)
        page.wait_for_timeout(300)
        assert asked == ["beforeunload"]
        expect(editor).to_contain_text("Оплачено")

        page.locator("#editor button[type=submit]").first.click()
        expect(page.locator("main")).to_contain_text(re.compile("Сохранено|Saved"))
        page.locator("nav.side a[data-key=h]").click()

        expect(page).to_have_url(re.compile(r"/console/main/?$"))
        assert asked == ["beforeunload"]


def _type(editor: Locator, text: str) -> None:
    editor.press("Control+a")
    editor.press_sequentially(text)


def _pages(page: Page, house: House) -> list[str]:
    """What the menu leads to, and the first of what each of these pages lists."""
    page.goto(f"{house.url}/console/main/")
    menu = _paths(page, "nav a")
    found = ["/console/main/me", *menu]
    for path in menu:
        page.goto(f"{house.url}{path}")
        below = [p for p in _paths(page, "main a") if p.startswith(f"{path.rstrip('/')}/")]
        found += [p for p in below[:1] if p not in found]
    assert len(found) > 8
    return found


def _paths(page: Page, selector: str) -> list[str]:
    """Of pages below the shop, with what they are asked for; files are for others to look at."""
    hrefs = page.locator(selector).evaluate_all("links => links.map(link => link.href)")
    found = [urlsplit(href) for href in hrefs]
    return list(
        dict.fromkeys(
            f"{one.path}?{one.query}" if one.query else one.path
            for one in found
            if one.path.startswith("/console/main") and "." not in one.path.rpartition("/")[2]
        )
    )


def _speak(page: Page, house: House, locale: str) -> None:
    page.goto(f"{house.url}/console/main/me")
    page.locator("select[name=locale]").select_option(locale)
    page.locator("form:has(select[name=locale]) button[type=submit]").click()
    expect(page.locator("html")).to_have_attribute("lang", locale)
