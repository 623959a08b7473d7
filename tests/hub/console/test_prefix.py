"""A hub below a path of a web server (`public_url = "https://shop.example/notify"`): every address has it."""

import pytest

from hub.config import Settings
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor


@pytest.fixture
def settings(settings: Settings) -> Settings:
    below = settings.hub.model_copy(update={"public_url": "https://shop.example/notify"})
    return settings.model_copy(update={"hub": below})


async def test_every_address_of_a_page_has_the_path_before_it(console: Console) -> None:
    page = await console.get("/operators")

    assert page.status == 200
    for tag, given in page.tags:
        for name in ("href", "src", "action"):
            if (address := given.get(name)) and not address.startswith(("#", "?")):
                assert address.startswith("/notify/console/"), (tag, address)


async def test_redirects_have_it_and_cookies_are_for_it(
    url: str, console_for: ConsoleFor, console: Console
) -> None:
    async with Console(url) as stranger:
        page = await stranger.get("/audit?object=x", follow=False)
        assert page.headers["Location"] == (
            "/notify/console/sign-in?next=/notify/console/main/audit%3Fobject%3Dx"
        )
    page = await console.post("/me", follow=False, locale="en")
    assert page.headers["Location"].startswith("/notify/console/main/me")
    page = await console.post("/me/theme", follow=False, back="/notify/console/main/audit")
    assert page.headers["Location"] == "/notify/console/main/audit"
    page = await console.post("/console/sign-out", follow=False)
    assert "Path=/notify/console" in str(page.headers.getall("Set-Cookie"))
