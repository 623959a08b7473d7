"""`make soak`: one run, its report as Markdown and JSON; the exit code is 0 only if nothing was wrong."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.soak import disk, report
from tests.soak.monkey import KINDS
from tests.soak.run import Size, run, summary


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--notifications", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=26, help="in all, every kind as often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=200.0, help="no more are sent")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only these faults")
    parser.add_argument("--disk", type=int, default=8, help="GiB of the disk that is filled")
    parser.add_argument("--report", type=Path, help="where the Markdown goes (else to stdout)")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--keep", type=Path, help="a folder for journals and logs, made anew")
    given = parser.parse_args()
    disk.alone(sys.argv[1:])
    kinds = (
        tuple(given.kind[i % len(given.kind)] for i in range(given.faults)) if given.kind else ()
    )
    size = Size(
        given.notifications, given.faults, given.seed, given.per_second, kinds, disk=given.disk
    )
    began = monotonic()

    def say(line: str) -> None:
        print(f"{monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = given.keep or Path(temporary)
        # Root's servers run as somebody else, who has to come through.
        folder.mkdir(mode=0o711, parents=True, exist_ok=given.keep is None)
        folder.chmod(0o711)
        outcome = asyncio.run(run(size, folder, say))
    text = report.page(outcome)
    if given.report:
        given.report.write_text(text, encoding="utf-8")
    else:
        print(text)
    if given.json:
        given.json.write_text(json.dumps(summary(outcome), ensure_ascii=False, indent=1))
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
