"""`vestnik up` as its user starts it: a process of its own, spoken to by signals and HTTP alone."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests import leaks

ROOT = Path(__file__).parents[2]


class Up:
    """A running `vestnik up` on the folder `data`; `said` is its stderr so far."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "up", "--data", str(data)],
            cwd=data.parent,
            env=clean_environ() | {"VESTNIK_LISTEN": "127.0.0.1:0"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ready(self) -> str:
        """The URL of the ready line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), "".join(self.said)
        for name in ("secret", "postgres/password"):
            if (file := self.data / name).exists():
                leaks.know(file.read_text().strip())
        return line.split()[1]

    def all_pids(self) -> dict[str, int]:
        """As `pids`, once everything has been started; the bots come last."""
        eventually(lambda: "bots" in self.pids())
        return self.pids()

    def pids(self) -> dict[str, int]:
        """The processes it has started, by name."""
        records = json.loads((self.data / "processes.json").read_text())
        return {name: record["pid"] for name, record in records.items()}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self, within: float = 20) -> int:
        code = self.process.wait(within)
        self._listener.join(5)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def key(self) -> str:
        """The one that a first start shows."""
        eventually(lambda: any("vst_" in line for line in self.said))
        return str(re.findall(r"vst_[\w-]+", "".join(self.said))[0])

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            for line in stderr:
                self.said.append(line)
                leaks.hear("vestnik up", line)


@contextmanager
def up(data: Path, **environ: str) -> Iterator[Up]:
    data.mkdir(parents=True, exist_ok=True)
    running = Up(data, **environ)
    try:
        yield running
    finally:
        running.close()


def clean_environ() -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VESTNIK_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def status(url: str) -> int:
    """Of a GET; 0 where nobody answers."""
    try:
        with urlopen(url, timeout=5) as response:
            return int(response.status)
    except URLError as error:
        return int(getattr(error, "code", 0))
    except OSError:
        return 0


def call(url: str, key: str, body: Any = None, *, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(url, data, headers, method=method), timeout=10) as response:
        return json.load(response)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def eventually(happens: Any, within: float = 15) -> None:
    end = time.monotonic() + within
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
