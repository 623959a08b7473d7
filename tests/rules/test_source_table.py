"""The table of docs/sources/README.md says what the platforms' modules can."""

import re
from pathlib import Path

import pytest

from hub.sources.registry import known, platform_class

_PAGE = (Path(__file__).parents[2] / "docs" / "sources" / "README.md").read_text(encoding="utf-8")
_ROWS = {
    name: (read, written)
    for name, read, written in re.findall(
        r"^\| [^|]+ \| \[`(\w+)`\]\(\w+\.md\) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", _PAGE, re.M
    )
}


def test_every_platform_has_a_row() -> None:
    assert list(_ROWS) == known()


@pytest.mark.parametrize("name", [name for name in known() if name != "generic"])
def test_it_says_what_can_be_read_and_written(name: str) -> None:
    class_ = platform_class(name)
    read, written = _ROWS[name]
    reads = [f"{kind}s" for kind in getattr(class_, "reads", ())]

    assert read == (", ".join(reads) or "–")
    assert (written == "–") is (not class_.writes_as)
