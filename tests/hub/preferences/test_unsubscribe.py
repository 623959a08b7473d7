"""One click and the page behind it, as mail programs and people use them."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from channels.base import Category, Channel
from hub.preferences import unsubscribe
from hub.preferences.unsubscribe import Leaving, unsubscribe_url
from hub.resources import Hub
from hub.tokens import BadToken, Signer
from tests.hub.api.client import Api

ONE_CLICK = b"List-Unsubscribe=One-Click"


async def _path(api: Api, hub: Hub, **fields: Any) -> str:
    body = {"consents": {"marketing": {"email": "subscribed", "vk": "subscribed"}}} | fields
    id_ = UUID((await api.put("/v1/contacts/b", body)).json["id"])
    url = unsubscribe_url(hub, id_, Channel.EMAIL, Category.MARKETING)
    assert url.startswith("https://hub.example/u/")
    return urlsplit(url).path


async def _consents(api: Api) -> Any:
    return (await api.get("/v1/contacts/b")).json["consents"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_one_click_leaves_that_channel_alone(
    api: Api, hub: Hub, headers: dict[str, str]
) -> None:
    path = await _path(api, hub)

    answer = await api.call("POST", path, raw=ONE_CLICK, headers=headers, key=None)

    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert await _consents(api) == {"marketing": {"email": "unsubscribed", "vk": "subscribed"}}
    assert (
        await hub.db.fetchval("SELECT source FROM consent WHERE channel = 'email'") == "one-click"
    )


async def test_the_first_time_counts(api: Api, hub: Hub) -> None:
    path = await _path(api, hub)
    await api.call("POST", path, raw=ONE_CLICK, key=None)
    first = await hub.db.fetchval("SELECT changed_at FROM consent WHERE channel = 'email'")

    again = await api.call("POST", path, raw=ONE_CLICK, key=None)

    assert again.status == 200
    assert await hub.db.fetchval("SELECT changed_at FROM consent WHERE channel = 'email'") == first


async def test_opening_the_page_changes_nothing(api: Api, hub: Hub) -> None:
    path = await _path(api, hub)

    for method in ("GET", "HEAD"):
        assert (await api.call(method, path, key=None)).status == 200

    assert await _consents(api) == {"marketing": {"email": "subscribed", "vk": "subscribed"}}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


async def test_the_page_has_one_button_and_runs_nothing(api: Api, hub: Hub) -> None:
    answer = await api.call("GET", await _path(api, hub), key=None)

    page = _Page(answer.raw.decode())
    [form] = page.all("form")
    assert form["method"] == "post"
    assert "action" not in form
    assert len(page.all("button")) == 1
    assert not page.all("script")
    assert not page.all("img")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self'" in policy
    [style] = page.all("style")
    assert f"'nonce-{style['nonce']}'" in policy
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("locale", "words"), [("ru", "Отписаться?"), ("en", "Unsubscribe?")])
async def test_the_page_speaks_the_persons_language(
    api: Api, hub: Hub, locale: str, words: str
) -> None:
    answer = await api.call("GET", await _path(api, hub, locale=locale), key=None)

    assert words in answer.raw.decode()
    assert "Ромашка" in answer.raw.decode()


async def test_without_a_language_it_is_the_shops(api: Api, hub: Hub) -> None:
    assert "Отписаться?" in (await api.call("GET", await _path(api, hub), key=None)).raw.decode()


async def test_a_changed_link_is_a_404_page(api: Api, hub: Hub) -> None:
    path = await _path(api, hub)
    changed = path[:-1] + ("A" if path[-1] != "A" else "B")

    for method in ("GET", "POST"):
        for wrong in (changed, "/u/nonsense"):
            answer = await api.call(
                method, wrong, key=None, headers={"Accept-Language": "en-GB,en;q=0.9"}
            )
            assert answer.status == 404
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "This link does not work" in answer.raw.decode()
    assert (await _consents(api))["marketing"]["email"] == "subscribed"


async def test_who_was_erased_has_left_already(api: Api, hub: Hub) -> None:
    path = await _path(api, hub)
    await api.delete("/v1/contacts/b")

    answer = await api.call("POST", path, raw=ONE_CLICK, key=None)

    assert answer.status == 200
    assert await hub.db.fetchval("SELECT count(*) FROM consent") == 0


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("category", list(Category))
def test_a_token_says_who_leaves_what(channel: Channel, category: Category) -> None:
    signer = Signer("only-for-this-test")
    leaving = Leaving(uuid4(), channel, category)

    token = unsubscribe.token_of(signer, leaving)

    assert unsubscribe.read(signer, token) == leaving
    with pytest.raises(BadToken):
        unsubscribe.read(Signer("another-secret-here"), token)


def test_a_token_of_another_purpose_is_none() -> None:
    signer = Signer("only-for-this-test")

    with pytest.raises(BadToken):
        unsubscribe.read(signer, signer.sign("cursor", uuid4().bytes + b"email:marketing"))
    with pytest.raises(BadToken):
        unsubscribe.read(signer, signer.sign("unsubscribe", b"short"))
