"""PostgreSQL's own pg_dump and pg_restore: which ones, and started so that nobody sees a password."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from hub.embedded.folder import StartFailed
from hub.embedded.postgres import VERSION, bin_dir
from hub.embedded.process import Process, spawn, until
from hub.logs import redact

_NO_TLS = "SSL support is not compiled in"


def pg_dump(server: int, *, embedded: bool) -> Path:
    """One that can read a server of that major version. Raises `StartFailed`.

    The one that came along reads the embedded server. For another one the machine's own is better, where it is
    new enough: it can do TLS.
    """
    if not embedded and (found := shutil.which("pg_dump")) and _major(found) >= server:
        return Path(found)
    if int(VERSION) >= server:
        return bin_dir() / "pg_dump"
    raise StartFailed(
        f"the database is PostgreSQL {server}, newer than the pg_dump there is: install the client"
        f" programs of PostgreSQL {server}, or back it up by the means of whoever runs it"
    )


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\) (\d+)", said.stdout)
    return int(found[1]) if found else 0


def start(
    program: Path,
    options: Sequence[str],
    url: str,
    *,
    stdout: int | None,
    words: IO[bytes],
    file: Path | None = None,
) -> Process:
    """`words`: where what it has to say goes."""
    address, password = _apart(url)
    return spawn(
        [program, *options, f"--dbname={address}", *([file] if file else [])],
        env=_environ() | ({"PGPASSWORD": password} if password else {}),
        stdout=stdout,
        stderr=words,
    )


async def ended(process: Process, words: IO[bytes]) -> None:
    """Waits for its end. Raises `StartFailed` with its last words unless it did what it should."""
    await until(lambda: process.poll() is not None)
    if process.returncode != 0:
        program = Path(os.fsdecode(process.args[0])).name  # type: ignore[index, arg-type]
        raise StartFailed(f"{program} failed: {_last_words(words)}")


async def kill(process: Process) -> None:
    if process.poll() is None:
        process.kill()
        await asyncio.shield(until(lambda: process.poll() is not None))


def _last_words(file: IO[bytes]) -> str:
    file.seek(0)
    lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    telling = [line for line in lines if "error:" in line] or [line for line in lines if line]
    if any(_NO_TLS in line for line in lines):
        return (
            "the pg_dump that came along cannot do TLS, which the database's URL asks for: install"
            " the client programs of PostgreSQL"
        )
    return redact(telling[0]) if telling else "it said nothing"


def _apart(url: str) -> tuple[str, str]:
    """The URL without its password, and that: a command line can be read by everybody."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = [pair for pair in parts.query.split("&") if pair]
    given = [pair for pair in query if pair.startswith("password=")]
    if given:
        password = given[-1].removeprefix("password=")
    rest = "&".join(pair for pair in query if pair not in given)
    netloc = f"{name}@{host}" if name else host
    # Put together by hand: without a host the library would leave out its slashes.
    address = f"{parts.scheme}://{netloc}{parts.path}{'?' if rest else ''}{rest}"
    return address, unquote(password)


def _environ() -> dict[str, str]:
    """PostgreSQL's own settings are heard, ours are nobody's business."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VESTNIK_")}
    return kept | {"LC_ALL": "C"}
