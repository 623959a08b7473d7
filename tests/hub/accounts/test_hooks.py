"""Where providers call back: told by the API and by `vestnik check`, and the same at both."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from channels.base import Channel
from hub.accounts import check, health
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.config import Settings
from hub.resources import Hub, open_hub
from hub.settings_file import load
from hub.shops import keys
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.notifications.providers import Providers, settings_file

CALL_BACK = {"mail", "smsc", "sms-ru"}


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with open_hub(settings) as hub:
        await hub.db.execute("TRUNCATE account_state")
        yield hub


@pytest.fixture
async def api_for(hub: Hub) -> AsyncIterator[Callable[[str], Awaitable[Api]]]:
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    opened: list[Api] = []

    async def make(shop: str) -> Api:
        _, key = await keys.create(hub.db, shop, [Scope.ADMIN])
        opened.append(Api(url, key))
        return opened[-1]

    async with serve(make_app(hub), listening):
        yield make
        for api in opened:
            await api.__aexit__(None, None, None)


async def test_accounts_are_listed_in_their_order(
    api_for: Callable[[str], Awaitable[Api]],
) -> None:
    api = await api_for("main")

    first = (await api.get("/v1/accounts?limit=3")).json
    rest = (await api.get(f"/v1/accounts?cursor={first['next_cursor']}")).json

    found = first["items"] + rest["items"]
    assert [a["name"] for a in found][:3] == ["tg", "vk", "max"]
    assert len(first["items"]) == 3
    assert rest["next_cursor"] is None
    assert {a["name"] for a in found if a["hook_url"]} == CALL_BACK
    assert {a["paused"] for a in found} == {None}


async def test_a_paused_account_says_why(
    hub: Hub, api_for: Callable[[str], Awaitable[Api]]
) -> None:
    shop = hub.shop("main").id
    await health.pause(hub.db, shop, "smsc", refused=True, reason="no money", code="3", failures=1)
    api = await api_for("main")

    found = {a["name"]: a for a in (await api.get("/v1/accounts")).json["items"]}

    assert (found["smsc"]["state"], found["smsc"]["paused"]["reason"]) == ("paused", "no money")
    assert found["sms-ru"]["paused"] is None


async def test_the_sandbox_calls_nobody(api_for: Callable[[str], Awaitable[Api]]) -> None:
    api = await api_for("other")

    found = (await api.get("/v1/accounts")).json["items"]

    assert {a["provider"] for a in found} == {"sandbox"}
    assert {a["hook_url"] for a in found} == {None}


async def test_the_address_that_is_told_is_listened_at(
    api_for: Callable[[str], Awaitable[Api]],
) -> None:
    api = await api_for("main")
    found = {a["name"]: a for a in (await api.get("/v1/accounts")).json["items"]}

    paths = [urlsplit(found[name]["hook_url"]).path for name in CALL_BACK]

    assert [(await api.get(path, key=None)).status != 404 for path in paths] == [True] * 3
    assert (await api.get(f"{paths[0]}x", key=None)).status == 404


async def test_check_tells_the_same_address(
    api_for: Callable[[str], Awaitable[Api]],
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = await api_for("main")
    told = [a["hook_url"] for a in (await api.get("/v1/accounts")).json["items"] if a["hook_url"]]

    assert await check.check_all(settings) == 0

    said = capsys.readouterr().out
    assert len(said.splitlines()) == len(settings.shops["main"].accounts)
    assert all(f"it calls back at {url}\n" in said for url in told)
    assert said.count("it calls back") == len(told)


async def test_check_before_the_first_start_tells_no_address(
    providers: Providers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings_file(tmp_path, providers)

    assert await check.check_all(load(file, data=tmp_path / "data", environ={})) == 0

    assert "calls back" not in capsys.readouterr().out
    assert not (tmp_path / "data").exists()


async def test_check_says_where_a_provider_would_not_call(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = settings.shops["main"]
    [account] = [one for one in shop.accounts if one.channel is Channel.MAX]
    called = account.config.model_copy(update={"receive": "webhook"})
    accounts = (account.model_copy(update={"config": called}),)
    told = []
    for url in ("https://hub.example", "https://hub.example:8443"):
        hub = settings.hub.model_copy(update={"public_url": url})
        shops = {"main": shop.model_copy(update={"accounts": accounts})}
        update = {"hub": hub, "shops": shops}
        told.append(await check.check_all(settings.model_copy(update=update)))

    fine, wrong = capsys.readouterr().out.splitlines()
    assert told == [0, 1]
    assert fine.startswith("ok")
    assert wrong.startswith("FAILED")
    assert "https at port 443" in wrong


# -- off and not set up ----------------------------------------------------------------------

_MORE = """
[[shops.main.accounts]]
name = "spare-mail"
channel = "email"
provider = "unisender_go"
token = "env:SPARE_TOKEN"
from = "env:SPARE_FROM"

[[shops.main.accounts]]
name = "old-tg"
channel = "telegram"
provider = "bot_api"
token = "7:old"
receive = "webhook"
enabled = false

[[shops.other.accounts]]
name = "sms"
channel = "sms"
provider = "smsc"
token = "env:SPARE_TOKEN"
"""


@pytest.fixture
def with_more(settings: Settings, tmp_path: Path) -> Settings:
    """`main` has an account without credentials and one that is off, `other` nothing that could send."""
    file = tmp_path / "vestnik.toml"
    file.write_text(file.read_text() + _MORE)
    environ = {
        "VESTNIK_DATABASE_URL": settings.hub.database_url.get_secret_value(),
        "VESTNIK_REDIS_URL": settings.hub.redis_url.get_secret_value(),
        "VESTNIK_SECRET": settings.hub.secret.get_secret_value(),
        "SPARE_TOKEN": "",
        "SPARE_FROM": "",
    }
    return load(file, data=tmp_path, environ=environ)


async def test_check_tells_what_is_off_and_what_to_set(
    with_more: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await check.check_all(with_more) == 0

    said = capsys.readouterr().out
    lines = {line.split()[1]: line for line in said.splitlines()}
    assert lines["main/mail"].startswith("ok ")
    assert lines["main/old-tg"].startswith("off ")
    assert lines["main/spare-mail"].endswith(
        "email/unisender_go: not set up: set SPARE_TOKEN, SPARE_FROM (empty in the environment)"
    )
    assert "shop other: every account is off or not set up, so nothing is sent" in said
    assert "shop main" not in said


class TestWithMore:
    @pytest.fixture
    def settings(self, with_more: Settings) -> Settings:
        return with_more

    async def test_the_list_tells_it_too(self, api_for: Callable[[str], Awaitable[Api]]) -> None:
        api = await api_for("main")

        found = {a["name"]: a for a in (await api.get("/v1/accounts")).json["items"]}

        assert [*found][-2:] == ["spare-mail", "old-tg"]
        assert found["spare-mail"]["state"] == "not_set_up"
        assert found["spare-mail"]["missing"] == ["SPARE_TOKEN", "SPARE_FROM"]
        assert (found["old-tg"]["state"], found["old-tg"]["hook_url"]) == ("off", None)
        assert (found["mail"]["state"], found["mail"]["missing"]) == ("in_use", [])

    async def test_a_shop_that_can_send_nothing_has_no_account_and_no_sandbox(
        self, api_for: Callable[[str], Awaitable[Api]]
    ) -> None:
        api = await api_for("other")
        recipient = {
            "external_id": "x",
            "addresses": {"phone": "+79990000009", "email": "x@example.com"},
        }

        told = await api.post(
            "/v1/notifications", {"recipient": recipient, "content": {"text": "Привет"}}
        )

        assert told.json["status"] == "undeliverable"
        assert {"channel": "sms", "reason": "no_account"} in told.json["skipped"]
        assert {"channel": "email", "reason": "no_account"} in told.json["skipped"]
        assert (await api.get("/v1/sandbox/messages")).json["items"] == []
