"""What an import shows of itself: on a terminal one line that rewrites itself, else a line every five seconds."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, Self, TextIO

from hub.history import progress


class Screen:
    """On a terminal one line that rewrites itself, else a line every five seconds."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._every = 0.2 if self._out.isatty() else 5.0
        self._next = monotonic()
        self._is_open = False
        self.told: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, run: Mapping[str, Any]) -> None:
        if monotonic() < self._next:
            return
        self._next = monotonic() + self._every
        if self._out.isatty():
            self._out.write(f"\r{line_of(run)}\x1b[K")
            self._is_open = True
        else:
            self._out.write(f"{line_of(run)}\n")
        self._out.flush()

    def say(self, line: str) -> None:
        self._close()
        say(line)

    def _close(self) -> None:
        if self._is_open:
            self._out.write("\n")
            self._is_open = False


def line_of(run: Mapping[str, Any]) -> str:
    left = run["seconds_left"]
    return progress.line(
        "+".join(f"{kind}s" for kind in run["kinds"]),
        run["done"],
        run["total"],
        speed=run["rate"],
        rest=None if left is None else timedelta(seconds=left),
        faulty=run["faulty"],
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
