"""What was accepted, what arrived and what was told, one JSON object a line: the memory that outlives processes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self


class Journal:
    """Every line is with the kernel when `note` returns: it outlives the process, and the machine is not killed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def note(self, *entries: dict[str, Any]) -> None:
        self._file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Nothing where there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)
