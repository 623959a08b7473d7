"""Where the hub of a data folder listens, for commands on the same machine: with port 0 nobody else knows."""

import json
from contextlib import suppress
from pathlib import Path

from hub.embedded.folder import read_json, write_private

_FILE = "address.json"


def tell(data: Path, url: str) -> None:
    """Kept until `forget`. A full disk is no reason not to start: commands can be told by `--url`."""
    with suppress(OSError):
        write_private(data / _FILE, json.dumps({"url": url}))


def forget(data: Path) -> None:
    (data / _FILE).unlink(missing_ok=True)


def url(data: Path) -> str | None:
    """None: no hub has been started there, or it has stopped. After kill -9 it may be of the last run."""
    return str(read_json(data / _FILE).get("url") or "") or None
