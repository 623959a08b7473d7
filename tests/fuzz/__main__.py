"""`make fuzz`: round after round of the fuzzing, each with other examples, until the time is up.

FUZZ_MINUTES=10 make fuzz                            the default
make fuzz ARGS="--seed 17 --rounds 1 -- -k whatsapp" one round again, or a part of it
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = Path(__file__).parent
_COUNTS = re.compile(r"(\d+) (passed|failed|error|errors|skipped)\b")


@dataclass(slots=True)
class Summary:
    rounds: int = 0
    passed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    """By the test, the seed of the first round that found it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    minutes = float(os.environ.get("FUZZ_MINUTES", "10"))
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--examples", type=int, default=int(os.environ.get("FUZZ_EXAMPLES", "25")))
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="at most so many")
    parser.add_argument("pytest", nargs="*", help="more for pytest, after --")
    given = parser.parse_args()
    ends, found = time.monotonic() + given.minutes * 60, Summary()
    while found.rounds < given.rounds and (left := ends - time.monotonic()) > 1:
        _round(found, given.seed + found.rounds, given.examples, given.pytest, left)
    print(
        f"\nfuzzing: {found.rounds} rounds from seed {given.seed} on, {given.examples} examples a test"
    )
    print(f"{found.passed} tests passed, {len(found.failed)} found something")
    for test, seed in found.failed.items():
        print(
            f"  {test}\n    again: make fuzz ARGS='--seed {seed} --rounds 1 -- -k \"{_name(test)}\"'"
        )
    return 1 if found.failed else 0


def _round(found: Summary, seed: int, examples: int, more: list[str], left: float) -> None:
    """The last one is cut off when the time is up: what it found until then counts, and no more."""
    print(f"round {found.rounds + 1}, seed {seed}", flush=True)
    command = [
        *(sys.executable, "-m", "pytest", str(_FOLDER), "-q", "--tb=short", "-rfE", "-p"),
        *("no:cacheprovider", f"--hypothesis-seed={seed}", "-n", "2", "--dist", "loadfile", *more),
    ]
    environment, cut = os.environ | {"FUZZ_EXAMPLES": str(examples)}, False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as running:
        try:
            out, _ = running.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            out, cut = _stopped(running), True
        except KeyboardInterrupt:
            _stopped(running)
            raise
    found.rounds += not cut
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+?\[.*?\]|\S+)(?: - |$)", out, re.MULTILINE)
    for test in failed:
        found.failed.setdefault(test, seed)
    for number, word in _COUNTS.findall(out.splitlines()[-1] if out else ""):
        found.passed += int(number) if word == "passed" else 0
    if failed or (running.returncode not in (0, 5) and not cut):
        print(out)
        if not failed:
            found.failed.setdefault("the round itself", seed)


def _stopped(running: "subprocess.Popen[str]") -> str:
    """The runner and its workers; their database servers go with them. What was said until then."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        with suppress(subprocess.TimeoutExpired):
            return running.communicate(timeout=30)[0]
    return ""


def _name(test: str) -> str:
    return test.rpartition("::")[2].partition("[")[0]


if __name__ == "__main__":
    raise SystemExit(main())
