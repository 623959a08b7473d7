"""`vestnik demo` as somebody runs it beside his first hub."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process import Up, clean_environ, up

pytestmark = pytest.mark.timeout(180)

ACCOUNTS = """
[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "smtp"
host = "127.0.0.1"
port = 1
security = "none"
from = "shop@example.com"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, str]]:
    with up(tmp_path_factory.mktemp("demo") / "data") as started:
        yield started, started.ready()


def demo(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--data", str(data), *arguments],
        cwd=data.parent,
        env=clean_environ() | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_whole_story_is_told(running: tuple[Up, str]) -> None:
    hub, _ = running

    # On a free port, which is known to the hub alone.
    done = demo(hub.data, VESTNIK_LISTEN="127.0.0.1:0")

    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    for line in (
        "Анна нажимает «",
        "Ответ записан: Анна, CH-210 2/2, CH-300 1/1",
        "Сообщение изменилось на месте (vk):",
        "Ответ записан: Борис, KT-17 1/2",
        "Бумага открывает ссылку из письма",
        "Заказ теперь partially_confirmed",
        "в наличии 1 из 2",
        "Анна видит ссылку на ярлыки",
        "Заказ теперь assembled",
        "RA123456789RU",
        "order.shipped",
    ):
        assert line in told, line
    assert done.stderr == ""
    # The key that was made for the run is of no more use.
    keys = subprocess.run(
        [sys.executable, "-m", "hub", "keys", "list", "--data", str(hub.data)],
        cwd=hub.data.parent,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [line] = [line for line in keys.splitlines() if line.endswith("demo")]
    assert "revoked" in line


def test_it_can_be_told_again_and_in_english(running: tuple[Up, str]) -> None:
    hub, url = running

    done = demo(hub.data, "--url", url, "--key", hub.key(), "--locale", "en")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Answer noted: Boris, KT-17 1/2" in done.stdout


def test_what_does_not_come_in_time_is_named(running: tuple[Up, str]) -> None:
    hub, url = running

    done = demo(hub.data, "--url", url, "--patience", "0.01")

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "за 0.01 с не случилось" in line


def test_without_a_hub_it_says_so_and_starts_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"

    done = demo(data, VESTNIK_LISTEN="127.0.0.1:9")

    assert done.returncode == 1
    assert "no hub answers at http://127.0.0.1:9" in done.stderr
    assert not data.exists()


def test_a_shop_with_accounts_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "vestnik.toml"
    config.write_text(ACCOUNTS)

    done = demo(tmp_path / "data", "--config", str(config))

    assert done.returncode == 1
    assert "'main' has accounts (mail)" in done.stderr


def test_a_free_port_has_to_be_said(tmp_path: Path) -> None:
    done = demo(tmp_path / "data", VESTNIK_LISTEN="127.0.0.1:0")

    assert done.returncode == 2
    assert "--url" in done.stderr
