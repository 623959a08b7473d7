"""How much memory there is for us: the machine's, or the container's if that has less."""

import os
from contextlib import suppress
from pathlib import Path

_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    # Of the first version of control groups; without a limit a number beyond any machine's memory.
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_MIB = 1024 * 1024
_LEAST, _MOST = 128, 512
_UNKNOWN = 1024 * _MIB
"""Where the system does not say."""


def there_is(limits: tuple[Path, ...] = _LIMITS) -> int:
    """In bytes. `limits`: files with the container's limit, if there is one ("max": there is none)."""
    found = _UNKNOWN
    with suppress(OSError, ValueError):
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in limits:
        with suppress(OSError, ValueError):
            found = min(found, int(file.read_text()))
    return found


def for_pages(memory: int) -> str:
    """Of so many bytes, what PostgreSQL keeps of its tables in its own memory (`shared_buffers`): an eighth, since half of
    the machine is the hub's and PostgreSQL reads what it does not find there through the system's own cache."""
    return f"{min(max(memory // 8 // _MIB, _LEAST), _MOST)}MB"
