"""What is installed is complete: the code finds its SQL and its templates where an installation puts them."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.process import ROOT, clean_environ

PARTS = ("hub", "channels", "bots", "templates")

FIND_ALL = """
import site, sys
site.addsitedir(sys.argv[1])
from hub.content.render import Engine
from hub.db.migrate import steps
Engine()
print(len(steps()))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, because a build leaves files in the tree. In a path that has to be quoted."""
    copy: Path = tmp_path_factory.mktemp("исходный код")
    for name in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--no-deps", "--no-build-isolation"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_every_file(source: Path, tmp_path: Path) -> None:
    files = {
        path.relative_to(source).as_posix()
        for part in PARTS
        for path in (source / part).rglob("*")
        if path.is_file()
    }

    pip("wheel", source, "--wheel-dir", tmp_path)

    [wheel] = tmp_path.glob("vestnik-*.whl")
    assert files - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_an_editable_installation_finds_everything(source: Path, tmp_path: Path) -> None:
    pip("install", "--editable", source, "--target", tmp_path)

    environ = clean_environ()
    del environ["PYTHONPATH"]
    found = subprocess.run(
        [sys.executable, "-P", "-c", FIND_ALL, tmp_path],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    assert int(found.stdout) == len(list((ROOT / "hub/db/migrations").glob("*.sql")))
