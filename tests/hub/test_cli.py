"""The command line: what it says, where it says it, and how it ends."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from hub.cli import main, parser

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine the tests run on."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VESTNIK_")]:
        monkeypatch.delenv(name)


def vestnik(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("where", ["before", "after", "last"])
def test_common_options_count_before_and_after_the_command(where: str) -> None:
    common = ["--config", "a.toml", "--data", "b"]
    line = {
        "before": [*common, "keys", "list", "--shop", "x"],
        "after": ["keys", *common, "list", "--shop", "x"],
        "last": ["keys", "list", "--shop", "x", *common],
    }[where]

    given = parser().parse_args(line)

    assert (given.config, given.data, given.shop) == (Path("a.toml"), Path("b"), "x")


def test_help_tells_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    for command in (
        "up",
        "api",
        "worker",
        "bots",
        "migrate",
        "check",
        "backup",
        "restore",
        "held",
        "secrets",
        "keys",
        "operators",
    ):
        assert re.search(rf"^    {command} +\w", said, flags=re.MULTILINE)


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("vestnik ")


@pytest.mark.parametrize(
    "command", ["up", "api", "worker", "bots", "migrate", "check", "keys list"]
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VESTNIK_LISTEN", "everywhere")

    code = main(command.split())

    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    [line] = said.err.splitlines()
    assert "hub.listen = 'everywhere'" in line
    assert "must be HOST:PORT" in line


@pytest.mark.parametrize("role", ["api", "worker", "bots"])
@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_a_role_alone_says_which_url_it_misses(
    role: str,
    missing: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VESTNIK_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("VESTNIK_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.delenv(f"VESTNIK_{missing}")

    code = main([role])

    assert code == 2
    assert f"VESTNIK_{missing}" in capsys.readouterr().err


def test_an_unknown_lane_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["worker", "--lane", "slow"])

    assert ended.value.code == 2
    assert "transactional" in capsys.readouterr().err


def test_a_database_that_is_away_is_one_line_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VESTNIK_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/none")

    code = main(["migrate"])

    said = capsys.readouterr().err
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (("vestnik:", "vestnik:x"), 1, "password authentication failed"),
        (("/vestnik?", "/nowhere?"), 1, 'database "nowhere" does not exist'),
        (("sslmode=disable", "sslmode=maybe"), 2, "is not a URL"),
    ],
)
def test_a_refused_database_is_one_line_without_its_password(
    database_url: str,
    change: tuple[str, str],
    code: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = database_url.replace(*change)
    monkeypatch.setenv("VESTNIK_DATABASE_URL", url)

    ended = main(["migrate"])

    [line] = capsys.readouterr().err.splitlines()
    assert ended == code
    assert reason in line
    assert url.split(":")[2].partition("@")[0] not in line


class TestKeys:
    """All against the embedded database of one folder, started by each command for its moment."""

    def test_create_prints_the_key_and_nothing_else(self, tmp_path: Path) -> None:
        made = vestnik("keys", "create", "--scope", "send", "--scope", "read", "--data", "data")

        assert (made.returncode, made.stderr) == (0, "")
        assert re.fullmatch(r"vst_[A-Za-z0-9]+_[A-Za-z0-9_-]+\n", made.stdout)
        assert not (tmp_path / "data" / "servers.json").exists()

    def test_a_reader_that_has_read_enough_is_no_fault(self) -> None:
        reads, writes = os.pipe()
        os.close(reads)

        ended = subprocess.run(
            [sys.executable, "-m", "hub", "keys", "create", "--scope", "send"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=writes,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writes)

        assert (ended.returncode, ended.stderr) == (1, "")

    def test_a_key_is_listed_without_its_secret_and_can_be_revoked(self) -> None:
        key = vestnik("keys", "create", "--scope", "send", "--name", "shop backend").stdout.strip()
        [listed] = vestnik("keys", "list").stdout.splitlines()

        revoked = vestnik("keys", "revoke", key)
        again = vestnik("keys", "revoke", key)

        assert key not in listed
        assert listed.endswith("send  never used  shop backend")
        assert (revoked.returncode, revoked.stdout) == (0, "")
        assert "revoked" in vestnik("keys", "list").stdout
        assert (again.returncode, again.stderr) == (1, "there is no such key\n")

    def test_a_shop_the_settings_do_not_have_is_refused(self) -> None:
        made = vestnik("keys", "create", "--shop", "elsewhere", "--scope", "send")

        assert (made.returncode, made.stdout) == (2, "")
        assert made.stderr == "--shop elsewhere: must be one of the settings' shops: main\n"

    def test_a_scope_that_is_none_is_refused(self) -> None:
        made = vestnik("keys", "create", "--scope", "everything")

        assert made.returncode == 2
        assert "'admin'" in made.stderr


async def test_migrate_can_be_run_twice(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE DATABASE twice")
    finally:
        await connection.close()
    url = database_url.replace("/vestnik?", "/twice?")

    first, second = (vestnik("migrate", VESTNIK_DATABASE_URL=url) for _ in range(2))

    assert first.stdout.startswith("applied: 1, 2")
    assert second.stdout == "the schema is up to date\n"
    assert (first.returncode, second.returncode) == (0, 0)


_ON_A_FULL_DISK = """
mount -t tmpfs -o size=256k none "$1" && mkdir "$1/data" && { cat /dev/zero >"$1/ballast" 2>/dev/null || true; }
exec "$2" -m hub up --data "$1/data"
"""


def _may_mount() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="mounts a disk of its own")
def test_a_full_disk_is_named_as_what_it_is(tmp_path: Path) -> None:
    shell = ["sh", "-c", _ON_A_FULL_DISK, "sh", str(tmp_path), sys.executable]

    ended = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", *shell],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == f"{tmp_path}/data: cannot be written: No space left on device\n"
