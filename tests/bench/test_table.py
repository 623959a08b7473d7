"""Both ratios are kept, and what was recorded before there were two is still compared."""

import pytest

from bench import __main__ as table
from bench.lines import Line

SENT = Line("bulk: letters", 5000, "/s", 10_000, 5556, same=8000)
WAITED = Line("200/s alone: p99", 40, "ms", 20, less_is_better=True)
ALONE = Line("memory: api", 90, "MiB")


def test_a_ratio_of_each_comparison_is_kept() -> None:
    assert table._ratios([SENT, WAITED, ALONE]) == {
        "bulk: letters": 0.5,
        "bulk: letters, same rows": 0.625,
        "200/s alone: p99": 0.5,
    }


def test_what_is_a_seventh_worse_is_told() -> None:
    before = {"bulk: letters": 0.51, "bulk: letters, same rows": 0.9, "a line of once": 1.0}

    [worse] = table._worse([SENT, WAITED, ALONE], before)

    assert worse.startswith("bulk: letters, same rows: 0.62")


def test_the_table_has_both(capsys: pytest.CaptureFixture[str]) -> None:
    table._show([SENT, WAITED, ALONE])

    head, sent, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["least", "code", "of", "it", "same", "rows", "of", "it", "target"]
    figures = ["5,000", "/s", "10,000", "0.50", "8,000", "0.62", "5,556", "MISSED"]
    assert sent.split() == ["bulk:", "letters", *figures]
