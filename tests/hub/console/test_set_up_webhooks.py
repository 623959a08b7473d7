"""Webhooks in the console: made, watched, sent to again."""

import pytest

from hub.resources import Hub
from hub.webhooks import queries
from tests.hub.console.client import Console
from tests.hub.webhooks.backend import Backend
from tests.hub.webhooks.conftest import Loop, Publish, backend, loop, publish, settings

__all__ = ["backend", "loop", "publish", "settings"]


async def _made(console: Console, backend: Backend) -> tuple[str, str]:
    """Its path and its secret."""
    page = await console.get("/set-up/webhooks")
    made = await console.send(
        page.form("/set-up/webhooks"), url=f"{backend.url}/hook", event=["order.assembled"]
    )
    [secret] = [one["data-copy"] for one in made.with_attribute("data-copy")]
    listed = await console.get("/set-up/webhooks")
    return listed.links[f"{backend.url}/hook"], secret or ""


async def test_a_webhook_is_made_and_its_secret_shown_once(
    console: Console, backend: Backend
) -> None:
    path, secret = await _made(console, backend)

    page = await console.get(path)

    assert secret.startswith("whsec_")
    assert secret not in page.html
    assert "order.assembled" in page.text
    assert "There are no calls" in page.text


async def test_what_does_not_fit_is_said(hub: Hub, console: Console) -> None:
    nothing = await console.post("/set-up/webhooks", url="https://shop.example/hook")
    inner = await console.post(
        "/set-up/webhooks", url="http://10.0.0.1/hook", event="order.assembled"
    )

    assert (nothing.status, inner.status) == (422, 422)
    assert "Tick at least one event" in nothing.text
    [url] = inner.with_attribute("aria-invalid")
    assert (url["name"], url["value"]) == ("url", "http://10.0.0.1/hook")
    assert "address on the public internet" in inner.text
    assert await queries.page(hub.db, hub.shop("main").id, before=None, limit=9) == []


async def test_calls_are_seen_and_sent_again(
    console: Console, backend: Backend, publish: Publish, loop: Loop
) -> None:
    path, _ = await _made(console, backend)
    await publish()
    await loop.until(1)

    page = await console.get(path)
    again = await console.send(page.form("/resend"))
    await loop.until(2)

    assert "Succeeded" in page.text
    assert "200 taken" in page.text
    assert "It is sent once more" in again.text
    assert backend.calls[0].id == backend.calls[1].id
    assert "There are no calls" in (await console.get(path, outcome="failed")).text


async def test_it_is_turned_off_and_removed(console: Console, backend: Backend) -> None:
    path, _ = await _made(console, backend)
    page = await console.get(path)

    off = await console.send(page.form("/active"))
    on = await console.send(off.form("/active"))
    gone = await console.send(on.form("/remove"))

    assert "Turned off" in off.text
    assert "/test" not in "".join(form.action for form in off.forms)
    assert "Turned on" in on.text
    assert "There is no webhook yet" in gone.text
    assert (await console.get(path)).status == 404


@pytest.mark.parametrize("way", ["/set-up/webhooks/nonsense", "/set-up/webhooks/" + "0" * 32])
async def test_unknown_ones_are_not_found(console: Console, way: str) -> None:
    assert (await console.get(way)).status == 404
