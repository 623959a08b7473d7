"""A new secret of the hub: what the old one signed and sealed goes on, until the old one is dropped."""

import json
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from channels.base import Category, Channel
from channels.telegram.bot_api import BotApiConfig
from hub.accounts.hooks import token_of
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.cli import main
from hub.config import Account, Settings, SettingsError, Shop
from hub.contacts import codes, links
from hub.contacts.links import Redeemed
from hub.contacts.updates import hook_secret
from hub.embedded import secret
from hub.ids import new_id
from hub.orders import buttons
from hub.orders.buttons import Action, Do
from hub.orders.model import Kind
from hub.preferences import choices, unsubscribe
from hub.preferences.unsubscribe import Leaving
from hub.resources import Hub, open_hub
from hub.settings_file import load
from hub.tokens import BadToken, Signer
from hub.webhooks.resealing import look, reseal
from hub.webhooks.sealing import SealBroken, renewed, seal, unseal
from tests.hub.api.client import Api

OLD, NEW = "only-for-the-tests-of-the-hub", "the-one-that-comes-after-that"
Rotated = Callable[..., AbstractAsyncContextManager[tuple[Hub, Api]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    bot = Account(
        name="tg",
        channel=Channel.TELEGRAM,
        provider="bot_api",
        config=BotApiConfig(token=SecretStr("42:no-bot"), receive="webhook"),
    )
    return settings.model_copy(update={"shops": {"main": Shop(accounts=(bot,))}})


@pytest.fixture
def rotated(settings: Settings, api: Api) -> Rotated:
    """The same hub after a restart: with the new secret, and those before it that are still accepted."""

    @asynccontextmanager
    async def start(previous: Sequence[str] = (OLD,)) -> AsyncIterator[tuple[Hub, Api]]:
        secrets = {"secret": SecretStr(NEW), "previous_secrets": tuple(map(SecretStr, previous))}
        after = settings.model_copy(update={"hub": settings.hub.model_copy(update=secrets)})
        listening = bind("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with (
            open_hub(after) as hub,
            serve(make_app(hub), listening),
            Api(url, api.key) as new,
        ):
            yield hub, new

    return start


async def test_links_that_went_out_before_still_work_and_end_with_a_page_when_it_is_dropped(
    hub: Hub, api: Api, rotated: Rotated
) -> None:
    contact = UUID((await api.put("/v1/contacts/b", {"addresses": {"email": "b@c.de"}})).json["id"])
    leaving = Leaving(contact, Channel.EMAIL, Category.MARKETING)
    old = [
        f"/u/{unsubscribe.token_of(hub.signer, leaving)}",
        f"/p/{choices.token_of(hub.signer, contact)}",
    ]

    async with rotated() as (after, now):
        new = [
            f"/u/{unsubscribe.token_of(after.signer, leaving)}",
            f"/p/{choices.token_of(after.signer, contact)}",
        ]
        assert not set(old) & set(new)
        assert [(await now.get(path, key=None)).status for path in old + new] == [200] * 4

    async with rotated(previous=()) as (_, later):
        for path in old:
            page = await later.get(path, key=None)
            assert page.status == 404
            assert page.headers["Content-Type"].startswith("text/html")
            assert b"<h1" in page.raw
        assert [(await later.get(path, key=None)).status for path in new] == [200] * 2


async def test_a_list_can_be_read_on_over_the_restart(api: Api, rotated: Rotated) -> None:
    for name in ("a", "b", "c"):
        await api.put(f"/v1/contacts/{name}", {})
    cursor = (await api.get("/v1/contacts?limit=1")).json["next_cursor"]

    async with rotated() as (_, now):
        assert len((await now.get(f"/v1/contacts?cursor={cursor}")).json["items"]) == 2


async def test_a_provider_may_call_by_the_old_address_and_by_the_new_one(
    hub: Hub, rotated: Rotated
) -> None:
    old = token_of(hub.signer, "main", "tg"), hook_secret(hub.signer, hub.accounts.all()[0])

    async with rotated() as (after, now):
        new = (
            token_of(after.signer, "main", "tg"),
            hook_secret(after.signer, after.accounts.all()[0]),
        )
        answers = [
            await now.post(
                f"/hooks/{token}",
                {"update_id": number},
                headers={"X-Telegram-Bot-Api-Secret-Token": shown},
                key=None,
            )
            for number, (token, shown) in enumerate([old, new, (old[0], "forged"), ("x", old[1])])
        ]
        assert [answer.status for answer in answers] == [200, 200, 401, 404]
        # What is told to whom it may concern is the new one only.
        [account] = (await now.get("/v1/accounts")).json["items"]
        assert account["hook_url"].endswith(new[0])

    async with rotated(previous=()) as (_, later):
        assert (await later.post(f"/hooks/{old[0]}", {}, key=None)).status == 404


async def test_a_code_that_was_given_out_before_can_still_be_typed(
    hub: Hub, api: Api, rotated: Rotated
) -> None:
    await api.put("/v1/contacts/b", {})
    code, contact = codes.new(), await hub.db.fetchval("SELECT id FROM contact")
    await hub.db.execute(
        "INSERT INTO contact_link (digest, code_digest, shop_id, contact_id, channel, expires_at)"
        " VALUES ($1, $2, $3, $4, 'telegram', now() + interval '1 day')",
        b"any",
        codes.digest(hub.signer, hub.shop("main").id, Channel.TELEGRAM, code),
        hub.shop("main").id,
        contact,
    )

    async with rotated() as (after, _), after.db.acquire() as connection, connection.transaction():
        found = await links.redeem_code(
            connection, after.signer, after.shop("main").id, Channel.TELEGRAM, code, "42"
        )

    assert found == (Redeemed.BOUND, contact)


def test_buttons_that_were_sent_before_still_work() -> None:
    about, chat = new_id(), b"chat"
    data = buttons.data_for(Signer(OLD), Kind.STOCK, about, chat, Action(Do.ALL))

    assert buttons.read(Signer(NEW, [OLD]), data, chat) == (Kind.STOCK, about, Action(Do.ALL))
    with pytest.raises(buttons.BadData):
        buttons.read(Signer(NEW), data, chat)


def test_what_is_signed_now_is_signed_with_the_present_secret_alone() -> None:
    signer = Signer(NEW, [OLD])

    token = signer.sign("x", b"y")

    assert Signer(NEW).read("x", token) == b"y"
    assert signer.name("x", "y") == Signer(NEW).name("x", "y")
    with pytest.raises(BadToken):
        Signer(OLD).read("x", token)


async def test_stored_secrets_are_readable_and_can_be_sealed_anew(
    hub: Hub, api: Api, rotated: Rotated
) -> None:
    made = [
        (
            await api.post(
                "/v1/webhooks", {"url": "https://example.com", "events": ["order.assembled"]}
            )
        ).json
        for _ in range(3)
    ]
    before = (await api.post(f"/v1/webhooks/{made[0]['id']}/rotate")).json
    await hub.db.execute(
        "UPDATE webhook SET secret = $2 WHERE id = $1",
        UUID(made[2]["id"]),
        seal(Signer("of somebody else altogether"), UUID(made[2]["id"]), "whsec_x"),
    )

    async with rotated() as (after, _):
        seen = await look(after.db, after.signer)
        first = await reseal(after.db, after.signer)
        again = await reseal(after.db, after.signer)
        rows = {row["id"]: row for row in await after.db.fetch("SELECT * FROM webhook")}

    assert seen == first
    assert (first.kept, first.earlier, first.broken) == (3, 2, (UUID(made[2]["id"]),))
    assert again.earlier == 0
    row = rows[UUID(made[0]["id"])]
    assert unseal(Signer(NEW), row["id"], row["secret"]) == before["secret"]
    assert unseal(Signer(NEW), row["id"], row["previous_secret"]) == made[0]["secret"]
    row = rows[UUID(made[1]["id"])]
    assert unseal(Signer(NEW), row["id"], row["secret"]) == made[1]["secret"]
    with pytest.raises(SealBroken):
        renewed(Signer(OLD), row["id"], row["secret"])


class TestInTheDataFolder:
    def test_the_old_one_is_kept_as_a_previous_one_until_it_is_forgotten(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        data = tmp_path / "data"
        first = _secrets(data)
        assert main(["secrets", "rotate", "--data", str(data)]) == 0
        second = _secrets(data)
        assert main(["secrets", "rotate", "--data", str(data)]) == 0
        third = _secrets(data)

        assert second[1:] == first
        assert third[1:] == second
        assert len(set(third)) == 3
        for name in ("secret", "previous_secrets"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
        said = capsys.readouterr()
        assert not [one for one in third if one in said.out + said.err]

        assert secret.forget(data) == 2
        assert _secrets(data) == third[:1]

    def test_one_of_the_settings_is_only_changed_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("VESTNIK_SECRET", OLD)

        assert main(["secrets", "rotate"]) == 2

        said = capsys.readouterr().err
        assert "hub.previous_secrets" in said
        assert OLD not in said
        assert not (tmp_path / ".vestnik" / "secret").exists()

    def test_nothing_is_sealed_with_a_secret_that_the_running_hub_does_not_know(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        _secrets(tmp_path)
        (tmp_path / "servers.json").write_text("{}")
        assert main(["secrets", "rotate", "--data", str(tmp_path)]) == 0

        assert main(["secrets", "reseal", "--data", str(tmp_path)]) == 1
        assert "restart `vestnik up` first" in capsys.readouterr().err


def _secrets(data: Path) -> list[str]:
    known = secret.complete(Settings(data=data)).hub
    return [one.get_secret_value() for one in (known.secret, *known.previous_secrets)]


@pytest.mark.parametrize("said", [f"{OLD}, {NEW}", json.dumps([OLD, NEW])])
def test_the_environment_gives_several(said: str) -> None:
    known = load(environ={"VESTNIK_PREVIOUS_SECRETS": said, "VESTNIK_CONFIG": "/dev/null"})

    assert [one.get_secret_value() for one in known.hub.previous_secrets] == [OLD, NEW]


@pytest.mark.parametrize("said", ["tooshort", "[1]", "[oops"])
def test_a_wrong_one_is_refused_without_being_shown(said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(environ={"VESTNIK_PREVIOUS_SECRETS": said, "VESTNIK_CONFIG": "/dev/null"})

    assert "hub.previous_secrets" in str(refused.value)
    assert said not in str(refused.value)
