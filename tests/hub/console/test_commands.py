"""`vestnik operators`, the welcome of a new hub, and second factors after a rotation of the secret."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pyotp
import pytest

from hub.cli import main
from hub.first_key import invitation
from hub.operators import factor, invitations, people, queries
from hub.operators.model import Role
from hub.operators.queries import actor_of
from hub.operators.resealing import reseal
from hub.resources import Hub
from hub.tokens import Signer
from tests.hub.console.conftest import HASH, add_operator


@pytest.fixture
def _machine(hub_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VESTNIK_DATABASE_URL", hub_database)
    monkeypatch.setenv("VESTNIK_PUBLIC_URL", "https://hub.example")
    asyncio.run(_run(hub_database, "DELETE FROM operator; DELETE FROM operator_invite"))


async def _run(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        if statement.startswith("SELECT"):
            return list(await connection.fetch(statement))
        await connection.execute(statement)
        return []
    finally:
        await connection.close()


def _said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = main(line.split())
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("_machine")
def test_a_link_is_the_only_thing_on_stdout(
    hub_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _said(capsys, "operators link --shop main --role reader")

    assert (code, err) == (0, "")
    assert re.fullmatch(r"https://hub\.example/console/invite/[\w-]{43}\n", out)
    code, out, _ = _said(capsys, "operators link")
    rows = asyncio.run(_run(hub_database, "SELECT role, shop_id FROM operator_invite"))
    assert {(row["role"], row["shop_id"] is None) for row in rows} == {
        ("reader", False),
        ("owner", True),
    }


@pytest.mark.usefixtures("_machine")
def test_what_cannot_be_done_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for line, ended, said in (
        ("operators link --shop elsewhere", 2, "must be one of the settings' shops: main"),
        ("operators reset nobody@shop.example", 1, "there is no such operator"),
        ("operators reset nobody", 1, "this is no e-mail address"),
    ):
        code, out, err = _said(capsys, line)

        assert (code, out) == (ended, "")
        assert len(err.splitlines()) == 1
        assert said in err


@pytest.mark.usefixtures("_machine")
def test_operators_are_listed_and_get_a_new_link(
    hub_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(
        _run(
            hub_database,
            "INSERT INTO operator (id, login, name, password_hash) VALUES"
            f" ('00000000-0000-0000-0000-000000000001', 'anna@shop.example', 'Anna', '{HASH}');"
            " INSERT INTO operator_shop (operator_id, shop_id, role)"
            " SELECT '00000000-0000-0000-0000-000000000001', id, 'owner' FROM shop WHERE slug = 'main'",
        )
    )

    code, out, _ = _said(capsys, "operators list")
    assert code == 0
    assert out == "anna@shop.example  main:owner  password only  no session  Anna\n"
    code, out, _ = _said(capsys, "operators reset Anna@shop.example")
    assert code == 0
    assert out.startswith("https://hub.example/console/invite/")


def test_the_welcome_names_the_link() -> None:
    assert "  https://hub.example/console/first/x\n" in invitation("https://hub.example", "x")


async def test_there_is_a_first_link_until_there_is_somebody(hub: Hub) -> None:
    assert await invitations.first(hub.db)
    await add_operator(hub, role=Role.READER)

    assert await invitations.first(hub.db) is None


async def test_second_factors_outlive_the_secret_that_sealed_them(hub: Hub) -> None:
    operator = await add_operator(hub)
    secret = pyotp.random_base32()
    old = Signer("the-secret-before-this-one")
    code = pyotp.TOTP(secret).now()
    await people.totp_on(hub.db, old, operator, secret, code, by=actor_of(operator))
    await hub.db.execute("UPDATE operator SET totp_used = 0")
    both, new = (
        Signer("a-new-secret-of-the-hub", ["the-secret-before-this-one"]),
        Signer("a-new-secret-of-the-hub"),
    )

    assert [await reseal(hub.db, both), await reseal(hub.db, both)] == [1, 0]

    found = await queries.credentials(hub.db, id_=operator.id)
    assert found
    assert await factor.take(hub.db, new, found, pyotp.TOTP(secret).now())


async def test_what_nobody_can_open_is_left_and_refused(hub: Hub) -> None:
    operator = await add_operator(hub)
    secret = pyotp.random_base32()
    lost = Signer("a-secret-that-was-lost")
    codes = await people.totp_on(
        hub.db, lost, operator, secret, pyotp.TOTP(secret).now(), by=actor_of(operator)
    )
    found = await queries.credentials(hub.db, id_=operator.id)
    assert found
    assert codes

    assert await reseal(hub.db, hub.signer) == 0
    assert not await factor.take(hub.db, hub.signer, found, pyotp.TOTP(secret).now())
    assert await factor.take(hub.db, hub.signer, found, codes[0])
