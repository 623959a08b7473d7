"""What every route tells the browser: a rule over the table of routes, so that a new page cannot forget it."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from channels.base import Category, Channel
from hub.api.app import all_routes
from hub.api.routes import Route
from hub.preferences.choices import preferences_url
from hub.preferences.unsubscribe import Leaving, token_of
from hub.resources import Hub
from tests.hub.api.client import Answer, Api
from tests.hub.pages.conftest import FORM, Orders

OF_EVERY_ANSWER = {
    "Server": "vestnik",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}

KEPT = {"openapi", "docs", "docs.style"}
"""Routes whose answers anybody may keep: the same for everybody."""

PUBLIC_PAGES = {"docs"}

_FORBIDDEN_CODE = re.compile(r"^on|^style$|^srcdoc$")


class _Suspicious(HTMLParser):
    """What a policy would stop, or would have to be loosened for."""

    def __init__(self, text: str, nonce: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._nonce = nonce
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "iframe", "object", "embed", "base", "svg"):
            self.found.append(f"<{tag}>")
        if tag == "style" and given.get("nonce") != self._nonce:
            self.found.append("<style> without the nonce")
        self.found += [f"{tag} {name}=" for name in given if _FORBIDDEN_CODE.search(name)]
        for name in ("href", "src", "action", "formaction"):
            url = (given.get(name) or "").strip().lower()
            if tag != "img" and (url.startswith(("javascript:", "data:", "//", "http:", "https:"))):
                self.found.append(f"{tag} {name}={url[:20]}")


def policy_of(answer: Answer) -> Mapping[str, str]:
    [policy] = answer.headers.getall("Content-Security-Policy")
    parts = [part.strip().partition(" ") for part in policy.split(";")]
    return {name: value for name, _, value in parts}


def check(answer: Answer, *, kept: bool, where: str) -> None:
    for name, value in OF_EVERY_ANSWER.items():
        assert answer.headers.getall(name, []) == [value], (where, name)
    assert answer.headers["Permissions-Policy"].count("=()") >= 3, where
    assert ("no-store" in answer.headers["Cache-Control"]) is not kept, where
    assert "Set-Cookie" not in answer.headers, where
    policy = policy_of(answer)
    assert policy["default-src"] == "'none'", where
    assert policy["frame-ancestors"] == "'none'", where
    assert not {"script-src", "script-src-elem", "connect-src", "object-src"} & set(policy), where
    assert "unsafe" not in " ".join(policy.values()), where
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        check_page(answer, policy, where)


def check_page(answer: Answer, policy: Mapping[str, str], where: str) -> None:
    text = answer.raw.decode()
    nonce = re.search(r"'nonce-([\w-]{20,})'", policy["style-src"])
    assert policy["style-src"] in ("'self'", nonce and nonce[0]), where
    assert policy["base-uri"] == "'none'", where
    assert _Suspicious(text, nonce[1] if nonce else "").found == [], where


def _others() -> list[Route]:
    """The console has a session, scripts and rules of its own: `tests/hub/console/test_doors.py`."""
    return [route for route in all_routes() if not route.path.startswith("/console")]


def filled(route: Route) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: str(UUID(int=7)) if m[1] == "id" else "x", route.path)


async def test_whatever_a_route_answers_is_dressed(api: Api) -> None:
    for route in _others():
        answers = [await api.call(route.method, filled(route), key=None)]
        if route.is_api:
            answers.append(await api.call(route.method, filled(route), {} if route.body else None))
        for answer in answers:
            kept = route.name in KEPT and answer.status == 200
            check(answer, kept=kept, where=f"{route.name} {answer.status}")


async def test_what_is_no_route_is_dressed_as_well(api: Api) -> None:
    for method, path in (
        ("GET", "/nowhere"),
        ("PATCH", "/v1/keys"),
        ("TRACE", "/docs"),
        ("OPTIONS", "/docs"),
        ("GET", "/v1/%00"),
    ):
        answer = await api.call(method, path)
        assert answer.status in (400, 404, 405)
        check(answer, kept=False, where=f"{method} {path}")


GoodLinks = Mapping[str, str]


@pytest.fixture
async def links(api: Api, hub: Hub, orders: Orders) -> GoodLinks:
    """By the beginning of the path: a link that opens the page."""
    await orders.put()
    stock = await orders.link("anna")
    buyer = {"addresses": {"email": "vera@example.com"}}
    vera = UUID((await api.put("/v1/contacts/vera", buyer)).json["id"])
    leaving = token_of(hub.signer, Leaving(vera, Channel.EMAIL, Category.MARKETING))
    return {
        "/docs": "/docs",
        "/a/": stock,
        "/u/": f"/u/{leaving}",
        "/p/": urlsplit(preferences_url(hub, vera)).path,
    }


def _pages() -> list[Route]:
    return [r for r in _others() if r.name in PUBLIC_PAGES or "text/html" in r.answers.values()]


async def test_every_page_keeps_the_rules_when_its_link_is_good(api: Api, links: GoodLinks) -> None:
    """A page that is missing in `links` gets its good link there."""
    for route in _pages():
        [path] = [link for begins, link in links.items() if route.path.startswith(begins)]
        for address in (path, f"{path}?lang=en", f"{path}?said=saved&correct=1"):
            form = b"do=nothing" if route.method == "POST" else None

            answer = await api.call(route.method, address, key=None, raw=form, headers=FORM)

            assert answer.status in (200, 303, 422), (route.name, answer.raw)
            check(answer, kept=route.name in KEPT, where=f"{route.name} {address}")


async def test_a_route_that_answers_html_says_so_in_the_table(api: Api, links: GoodLinks) -> None:
    """Else the rule above would pass over it."""
    pages = {route.path for route in _pages()}
    for route in _others():
        answer = await api.call(route.method, filled(route), key=None)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert route.path in pages, f"{route.name}: answers={{200: 'text/html'}} is missing"


async def test_a_link_opens_its_own_door_alone(api: Api, links: GoodLinks) -> None:
    tokens = {begins: path.removeprefix(begins) for begins, path in links.items()}
    del tokens["/docs"]
    for begins, token in tokens.items():
        for door in tokens:
            answer = await api.get(door + token, key=None)
            assert answer.status == (200 if door == begins else 404), (door, begins)
        assert (await api.get(f"/hooks/{token}", key=None)).status == 404
        assert (await api.get(f"/v1/contacts?cursor={token}")).status == 400


async def test_two_pages_never_have_the_same_nonce(api: Api) -> None:
    answers = [await api.get("/u/nonsense", key=None) for _ in range(3)]

    assert len({policy_of(answer)["style-src"] for answer in answers}) == 3
