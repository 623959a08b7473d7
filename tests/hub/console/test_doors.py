"""What every page of the console tells the browser, and whom it lets in: rules over the table of routes, so that a new
page cannot forget them."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hub.api.app import all_routes
from hub.api.console.rendering import FOLDER
from hub.api.routes import Route
from tests.hub.console.client import Console, Page
from tests.hub.console.conftest import ConsoleFor

_OPEN = {"console.static", "console.sign_in", "console.sign_in.done", "console.sign_in.code"}
_LINKS = ("/console/first/", "/console/invite/")


def _routes() -> list[Route]:
    return [r for r in all_routes() if r.path.startswith("/console") and "{tail" not in r.path]


def _inner() -> list[Route]:
    return [route for route in _routes() if route.path.startswith("/console/{shop}")]


def _filled(route: Route, shop: str = "main") -> str:
    path = route.path.replace("{shop}", shop)
    return re.sub(
        r"\{(\w+)(:[^}]*(\{\d+\})?)?\}",
        lambda m: str(UUID(int=7)) if m[1].endswith("id") else "x",
        path,
    )


def check(page: Page, where: str) -> None:
    policy = {
        name: value
        for name, _, value in (
            part.strip().partition(" ")
            for part in page.headers["Content-Security-Policy"].split(";")
        )
    }
    assert policy["default-src"] == "'none'", where
    assert policy["base-uri"] == "'none'", where
    assert page.headers["Cache-Control"] == "no-store", where
    assert page.headers["X-Content-Type-Options"] == "nosniff", where
    assert page.headers.getall("Referrer-Policy") in (["same-origin"], ["no-referrer"]), where
    if "sandbox" in policy:
        # Somebody else's words (a letter): no script whatever, and nothing of ours in reach.
        assert "allow-scripts" not in policy["sandbox"], where
        assert "allow-same-origin" not in policy["sandbox"], where
        assert "script-src" not in policy, where
        return
    assert policy["frame-ancestors"] == "'none'", where
    assert "unsafe" not in " ".join(policy.values()), where
    for tag, given in page.tags:
        assert tag not in ("style", "object", "embed", "base"), (where, tag)
        assert not [name for name in given if name.startswith("on") or name == "style"], (
            where,
            tag,
        )
        if tag == "script":
            assert (given.get("src") or "").startswith("/console/static/"), where
        if tag == "iframe":
            assert "sandbox" in given, where
        for name in ("href", "action", "formaction", "hx-get", "hx-post"):
            assert not (given.get(name) or "").lower().startswith(("javascript:", "data:")), where


async def test_nobody_gets_in_without_a_session(url: str) -> None:
    async with Console(url) as stranger:
        for route in _inner():
            page = await stranger.call(route.method, _filled(route), follow=False)

            assert page.status == 303, route.name
            assert page.headers["Location"].startswith("/console/sign-in"), route.name


async def test_no_form_works_without_its_secret(console: Console) -> None:
    for route in _inner():
        if route.method != "POST":
            continue
        for body in ("", "csrf=", "csrf=nonsense"):
            page = await console.call("POST", _filled(route), body, follow=False)

            assert page.status == 403, route.name


async def test_no_form_works_from_another_site(console: Console) -> None:
    stranger: Mapping[str, str]
    for route in _inner():
        if route.method != "POST":
            continue
        for stranger in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            body = f"csrf={console.csrf}"
            page = await console.call("POST", _filled(route), body, headers=stranger, follow=False)

            assert page.status == 403, (route.name, stranger)


async def test_another_shops_pages_are_not_there(console: Console) -> None:
    for route in _inner():
        body = f"csrf={console.csrf}" if route.method == "POST" else None
        page = await console.call(route.method, _filled(route, "other"), body, follow=False)

        assert page.status == 404, route.name


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_every_page_keeps_the_rules(console_for: ConsoleFor, locale: str) -> None:
    owner = await console_for(locale=locale)
    for route in _inner():
        if route.method != "GET":
            continue
        page = await owner.get(_filled(route), follow=False)

        assert page.status < 500, (route.name, page.text)
        if page.headers.get("Content-Type", "").startswith("text/html"):
            check(page, route.name)


async def test_pages_of_those_who_are_not_in_keep_them_too(url: str) -> None:
    async with Console(url) as stranger:
        for path in ("/console/sign-in", "/console/sign-in?lang=ru&next=/x"):
            page = await stranger.get(path)

            assert page.status == 200
            check(page, path)


async def test_what_is_at_no_address_is_a_page(console: Console, url: str) -> None:
    for path in ("/nothing", "/console/nowhere/at/all", "/console/other/audit"):
        page = await console.get(path)

        assert page.status == 404
        assert "There is nothing here" in page.text
        check(page, path)
    async with Console(url) as stranger:
        page = await stranger.get("/nothing", follow=False)
        assert page.status == 303


async def test_static_files_are_kept_under_their_digest(console: Console) -> None:
    page = await console.get("/audit")
    [style] = [
        g["href"] for t, g in page.tags if t == "link" and "console.css" in (g["href"] or "")
    ]
    assert style

    kept = await console.get(style)
    dated = await console.get(re.sub("[0-9a-f]{16}", "0" * 16, style))

    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.headers["Content-Type"].startswith("text/css")
    assert dated.headers["Cache-Control"] == "no-cache"
    for path in (
        "../words.ru.toml",
        "..%2fwords.ru.toml",
        "vendor/README.md",
        "%2e%2e/words.ru.toml",
    ):
        assert (await console.get(re.sub("console.css", path, style), follow=False)).status in (
            303,
            404,
        )


def _modules() -> list[Path]:
    return sorted({file.parent for file in FOLDER.rglob("words.*.toml")})


def _keys(words: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in words.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


@pytest.mark.parametrize("folder", _modules(), ids=lambda folder: str(folder.name))
def test_both_languages_have_the_same_words(folder: Path) -> None:
    ru, en = (
        tomllib.loads((folder / f"words.{locale}.toml").read_text(encoding="utf-8"))
        for locale in ("ru", "en")
    )

    assert sorted(_keys(ru)) == sorted(_keys(en))
