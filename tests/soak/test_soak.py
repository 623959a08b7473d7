"""The soak run in short: some hundred notifications, a fault of three kinds, nothing lost."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.soak import report
from tests.soak.run import Size, run

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(300),
]

# Three of those that need no long wait. `make soak` has them all; in `tests/e2e`, too, bots and API are killed and Redis
# is wiped.
QUICK = (
    "kill -9 of a worker",
    "kill -9 of Redis (comes back empty)",
    "kill -9 of PostgreSQL",
)


def test_nothing_is_lost_while_everything_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    size = Size(500, len(QUICK), seed=5, per_second=150, kinds=QUICK, hurry=True)

    # A plain loop in the main thread, as `make soak` has it: children die with the thread that started them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        outcome = runner.run(run(size, tmp_path, said.append))

    assert outcome.good, "\n".join([*said, report.page(outcome)])
    assert outcome.verdict.accepted >= size.notifications
    assert outcome.verdict.reached > 0.9 * size.notifications
    assert max(fault.recovery.all for fault in outcome.faults) < 60
