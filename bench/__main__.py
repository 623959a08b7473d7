"""`make bench`: starts a hub, its servers and a sink, measures, and holds the ratios against those of last time."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.lines import Bench, Line, Size
from bench.rig import rig

RECORDED = Path(__file__).with_name("recorded.json")
_WORSE = 0.85
"""Of the recorded ratio: below that it is no longer chance."""


async def _measured(size: Size) -> Sequence[Line]:
    with tempfile.TemporaryDirectory() as folder:
        async with rig(Path(folder)) as made:
            bench = Bench(made, size)
            await bench.run()
            return bench.lines


def _show(lines: Sequence[Line]) -> None:
    width = max(len(line.name) for line in lines)
    heads = f"{'least code':>10}  {'of it':>5}  {'same rows':>10}  {'of it':>5}  {'target':>10}"
    print(f"{'':<{width}}  {'':>10} {'':<9} {heads}")
    for line in lines:
        least = _beside(line.bare, line.of_least)
        same = _beside(line.same, line.of_same)
        target = f"{line.target:>10,.0f}  {_verdict(line)}" if line.target else ""
        shown = f"{line.value:>10,.0f}" if line.value >= 10 else f"{line.value:>10.2f}"
        print(f"{line.name:<{width}}  {shown} {line.unit:<9} {least}  {same}  {target}".rstrip())


def _beside(other: float | None, ratio: float | None) -> str:
    """What the other code reaches, and how much of that the product does."""
    figure = f"{other:,.0f}" if other else ""
    return f"{figure:>10}  {f'{ratio:.2f}' if ratio else '':>5}"


def _verdict(line: Line) -> str:
    assert line.target is not None
    good = line.value <= line.target if line.less_is_better else line.value >= line.target
    return "reached" if good else "MISSED"


def _ratios(lines: Sequence[Line]) -> dict[str, float]:
    of_least = {line.name: line.of_least for line in lines}
    of_same = {f"{line.name}, same rows": line.of_same for line in lines}
    return {name: round(ratio, 3) for name, ratio in (of_least | of_same).items() if ratio}


def _worse(lines: Sequence[Line], recorded: Mapping[str, float]) -> list[str]:
    """What is worse than it was, in words."""
    now = _ratios(lines)
    return [
        f"{name}: {now[name]:.2f} of the plain code's, it was {before:.2f}"
        for name, before in recorded.items()
        if name in now and now[name] < before * _WORSE
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument(
        "--quick", action="store_true", help="a third of it, and never a million rows"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep these ratios to compare with next time"
    )
    given = parser.parse_args()
    size = (
        Size(bulk=20_000, letters=20_000, waiting=(10_000, 50_000), tries=1, history=20_000)
        if given.quick
        else Size()
    )
    lines = asyncio.run(_measured(size))
    _show(lines)
    if given.json:
        found = [
            asdict(line) | {"of_least": line.of_least, "of_same": line.of_same} for line in lines
        ]
        given.json.write_text(json.dumps(found, indent=1))
    if given.record:
        RECORDED.write_text(json.dumps(_ratios(lines), indent=1) + "\n")
        return
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    worse = _worse(lines, recorded)
    print("\nworse than recorded:" if worse else "\nnothing is worse than recorded")
    for line in worse:
        print(f"  {line}")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
