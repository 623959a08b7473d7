"""Child processes that die with us, and finding those that an earlier run left behind all the same."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import IO, Any

from hub.embedded.folder import StartFailed, read_json, write_private
from hub.embedded.privileges import RunAs, die_with_parent

Process = subprocess.Popen[bytes]
File = int | IO[bytes] | None
Steps = Sequence[tuple[int, timedelta]]
"""Signals, and how long to wait for the end after each."""

_GLANCE = 0.05


def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str],
    stdin: File = subprocess.DEVNULL,
    stdout: File = None,
    stderr: File = None,
    death_signal: int = signal.SIGTERM,
    run_as: RunAs | None = None,
) -> Process:
    """Starts a program that gets `death_signal` when we die, even by kill -9 (Linux).

    Call it in the main thread: the kernel minds the thread that forked, not the process. In a session
    of its own, so that Ctrl-C in a terminal reaches us alone and we stop things in order.
    Raises `StartFailed`.
    """
    parent = os.getpid()

    def prepare() -> None:
        if run_as is not None:
            run_as.enter()
        die_with_parent(death_signal, parent)

    try:
        return subprocess.Popen(  # noqa: S603 (our own programs)
            [os.fspath(arg) for arg in argv],
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 (makes system calls only; its libraries are loaded)
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) else "changing the user is not allowed"
        )
        raise StartFailed(f"{os.fspath(argv[0])}: cannot be run: {reason}") from None


def send(pid: int, number: int) -> None:
    """A signal to a process that may have ended this instant."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


async def until(happened: Callable[[], bool], within: timedelta = timedelta.max) -> bool:
    """Looks again and again; False when it has not happened in time."""
    end = monotonic() + within.total_seconds()
    while not happened():
        if monotonic() > end:
            return False
        await asyncio.sleep(_GLANCE)
    return True


async def stop(process: Process, steps: Steps) -> None:
    """Sends each signal in turn and waits that long for the end, then kills."""
    for number, patience in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        if await until(lambda: process.poll() is not None, patience):
            return
    process.kill()
    await until(lambda: process.poll() is not None, timedelta(seconds=5))


class Records:
    """Which processes we started, kept in `data`/processes.json for the run after a crash.

    A process is known by its id and the time of its start, so a recycled id is never taken for ours.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / "processes.json"
        self._known: dict[str, Any] = {}

    def add(self, name: str, process: Process) -> None:
        self._known[name] = {"pid": process.pid, "started": _started(process.pid)}
        self._write()

    def remove(self, name: str) -> None:
        if self._known.pop(name, None):
            self._write()

    def _write(self) -> None:
        # A full disk is no reason to stop: the record only helps after a crash.
        with suppress(OSError):
            write_private(self._path, json.dumps(self._known))

    async def stop_leftovers(self, servers: Mapping[str, Steps], roles: Steps) -> None:
        """Stops what an earlier run left: our own roles by `roles`, then each of `servers` in its own way.

        Who has not ended by then is killed.
        """
        left = read_json(self._path)
        in_order = {name: roles for name in left if name not in servers} | dict(servers)
        for name, steps in in_order.items():
            match left.get(name):
                case {"pid": int(pid), "started": str(started)} if started:
                    await _stop_leftover(pid, started, steps)


async def _stop_leftover(pid: int, started: str, steps: Steps) -> None:
    for number, patience in [*steps, (signal.SIGKILL, timedelta(seconds=5))]:
        if _started(pid) != started:
            return
        send(pid, number)
        if await until(lambda: _started(pid) != started, patience):
            return


def _started(pid: int) -> str:
    """When the process began, in words of the system; empty when it has ended."""
    if sys.platform != "linux":
        command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return answer.stdout.strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    # proc_pid_stat(5): the name in brackets may hold anything; state and start time are 3rd and 22nd.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"
