"""Which tests run side by side: the long ones begin first, and few of them at once.

Tests that start whole hubs look at the clock; more than two of them beside each other would measure each other.
"""

import gc
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_HUBS = ("tests/soak/", "tests/e2e/", "tests/upgrade/", "tests/console/")
_LANES = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_HUBS))


def pytest_collection() -> None:
    """Nearly all that is made now stays: looking through it for garbage meanwhile is a third of the work."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What collecting left stays to the end: looking through it for garbage holds a test up for half a second."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    # In the order of collection, not by the number of tests.
    config.option.loadscopereorder = False
    return _Schedule(config, log)


class _Schedule(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay together, as they share what its fixtures started; the files of `_HUBS` follow each other
    in `_LANES` lines."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._lanes: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if not file.startswith(_HUBS):
            return file
        return self._lanes.setdefault(file, f"hubs {len(self._lanes) % _LANES}")
