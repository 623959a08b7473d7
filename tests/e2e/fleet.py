"""Roles of a fleet, each a process of its own on PostgreSQL and Redis that somebody else runs."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.process import clean_environ


def role_environ(database_url: str, redis_url: str) -> Mapping[str, str]:
    return clean_environ() | {
        "VESTNIK_DATABASE_URL": database_url,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-a-fleet",
        "VESTNIK_LISTEN": "127.0.0.1:0",
    }


def command(folder: Path, environ: Mapping[str, str], *arguments: str) -> str:
    """What a command that ends by itself says."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class Role:
    """`vestnik api` or `vestnik worker`, in the folder where the settings file is."""

    def __init__(self, folder: Path, environ: Mapping[str, str], name: str, log: str) -> None:
        self.log = folder / log
        # A pipe that nobody reads would stop it once it is full.
        self._log = self.log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub", name],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def ready(self) -> str:
        """The URL of an API's ready line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line.startswith("ready http://")
        return line.split()[1]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """The exit code; a second time the same."""
        if self._log.closed:
            return self._process.returncode
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        code = self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
        return code
