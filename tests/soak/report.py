"""A run as a page for people: `docs/soak.md`."""

import os
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from tests.soak.monkey import Fault
from tests.soak.run import Outcome

_MOST = 40
"""Lines of what was wrong."""


def page(outcome: Outcome) -> str:
    parts = [
        _head(outcome),
        _machine(outcome),
        _promises(outcome),
        _faults(outcome),
        _channels(outcome),
        _doubles(outcome),
        _wrong(outcome),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(outcome: Outcome) -> str:
    size, verdict = outcome.size, outcome.verdict
    kinds = len({fault.kind for fault in outcome.faults})
    slowest = max((f.recovery.all for f in outcome.faults), default=0.0)
    word = "passed" if outcome.good else "FAILED"
    command = (
        f"--notifications {size.notifications} --faults {size.faults} --seed {size.seed}"
        f" --per-second {size.per_second:.0f}"
    )
    return f"""# The soak run

`make soak` starts an API, two workers and the bots on a PostgreSQL and a Redis of their own, has a shop's backend send
through them to simulated providers that are slow, refuse, throttle, lie and fall silent, and meanwhile kills, freezes,
wipes and fills up one thing after the other. In the end every notification that was accepted is held against what the
providers took. This page was written by such a run; do it again with
`make soak ARGS="{command}"`.

**{word}: {verdict.lost} lost of {verdict.accepted:,} accepted**, under {len(outcome.faults)} faults of {kinds} kinds;
the slowest recovery took {slowest:.1f} s."""


def _machine(outcome: Outcome) -> str:
    size, verdict = outcome.size, outcome.verdict
    rate = verdict.accepted / outcome.fed_for if outcome.fed_for else 0.0
    sent = sum(outcome.taken.values())
    pauses = ", ".join(f"{length:.1f} s" for length, _ in outcome.pauses[:3])
    return _table(
        ("", ""),
        [
            ("day", f"{outcome.began_at:%Y-%m-%d}"),
            (
                "machine",
                f"{_processor()}, {os.cpu_count()} cores, {_memory()}, {platform.system()} {platform.release()}",
            ),
            ("Python", platform.python_version()),
            (
                "processes",
                "PostgreSQL (fsync on), Redis, API, 2 workers, bots; providers and the shop's backend in two more",
            ),
            ("seed", str(size.seed)),
            ("notifications accepted", f"{verdict.accepted:,}"),
            ("questions to storekeepers, each answered by a button", f"{outcome.orders:,}"),
            ("messages that providers took", f"{sent:,}"),
            ("receipts that the hub took", f"{verdict.receipts:,}"),
            ("accepted within", f"{outcome.fed_for:.0f} s, faults and all: {rate:.0f} a second"),
            ("the whole run", f"{outcome.took:.0f} s"),
            ("longest pauses without any message at any provider", pauses),
        ],
    )


def _promises(outcome: Outcome) -> str:
    verdict = outcome.verdict
    ended = [(why.value, f"{count:,}") for why, count in sorted(verdict.not_sent.items())]
    rows = [
        ("sent, delivered or read, and found at a provider", f"{verdict.reached:,}"),
        *((f"not sent: {why}", count) for why, count in ended),
        ("**lost**", f"**{verdict.lost}**"),
        ("accepted", f"{verdict.accepted:,}"),
    ]
    kept = f"""

Each is in exactly one final state. Nothing arrived that had not been accepted, nothing was made twice for one
`Idempotency-Key`, {verdict.ordered:,} pairs under an `ordering_key` came in their order, and every receipt for which a
provider was thanked is written down."""
    table = _table(("", "notifications"), rows)
    return f"## What became of them\n\n{table}{kept if outcome.good else ''}"


def _faults(outcome: Outcome) -> str:
    by_kind: dict[str, list[Fault]] = defaultdict(list)
    for fault in outcome.faults:
        by_kind[fault.kind].append(fault)
    rows = [
        (
            kind,
            str(len(faults)),
            _seconds(f.recovery.accepted for f in faults),
            _seconds(f.recovery.sent for f in faults),
            _seconds(f.recovery.ready for f in faults),
        )
        for kind, faults in by_kind.items()
    ]
    rows.append(
        (
            "**all**",
            str(len(outcome.faults)),
            _seconds(f.recovery.accepted for f in outcome.faults),
            _seconds(f.recovery.sent for f in outcome.faults),
            _seconds(f.recovery.ready for f in outcome.faults),
        )
    )
    head = ("fault", "times", "accepts again", "sends again", "ready again")
    without = "".join(f"\nLeft out: {kind}, since {why}." for kind, why in outcome.without.items())
    return f"""## Faults

Seconds from the fault (of a provider that was away, a full disk: from its end) until a notification is accepted, until
one that came after the fault has been sent, until `/readyz` is 200: median / longest.

{_table(head, rows)}
{without}""".rstrip()


def _channels(outcome: Outcome) -> str:
    by_channel: dict[str, Counter[str]] = defaultdict(Counter)
    for (channel, status), count in outcome.verdict.states.items():
        by_channel[channel][status] += count
    statuses = sorted({status for _, status in outcome.verdict.states})
    rows = [
        (channel, *(f"{counts[s]:,}" if counts[s] else "" for s in statuses))
        for channel, counts in sorted(by_channel.items())
    ]
    return "## Deliveries by channel and state\n\n" + _table(("channel", *statuses), rows)


def _doubles(outcome: Outcome) -> str:
    verdict = outcome.verdict
    rows = [(by, category, f"{n:,}") for (by, category), n in sorted(verdict.doubles.items())]
    total = sum(verdict.doubles.values())
    table = "\n\n" + _table(("provider", "category", "doubles"), rows) if rows else ""
    never = " No other message came twice, and marketing never did."
    return f"""## Doubles

Where a call got no clear answer and the provider does not recognise a repeat, an order message is sent again and marked
`maybe_duplicate`; marketing is not, and ends as `unknown`. {verdict.in_doubt:,} deliveries were marked, and {total:,}
marked messages did come once more.{never if outcome.good else ""}{table}"""


def _wrong(outcome: Outcome) -> str:
    wrong = [*outcome.verdict.faults, *outcome.trouble]
    if not wrong:
        return ""
    lines = "\n".join(f"- {line}" for line in wrong[:_MOST])
    return f"## What was wrong ({len(wrong)})\n\n{lines}"


def _seconds(values: Iterable[float]) -> str:
    found = list(values)
    return f"{median(found):.1f} / {max(found):.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1024**3:.0f} GiB"
