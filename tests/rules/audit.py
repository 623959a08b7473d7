"""`make audit`: known weaknesses of what an installation gets, by requirements.lock.

Fails where one is found. Where nobody could be asked it says so and passes: a service that is away must not stop
a change, and nobody may take its silence for a clean bill.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOCK = Path(__file__).parents[2] / "requirements.lock"
_PATIENCE = 300

# In this order: the second one is asked where the first one did not know everything.
_SERVICES = ("pypi", "osv")

ACCEPTED: Mapping[str, str] = {}
"""Weaknesses that do not reach us: their id, and why."""


@dataclass(frozen=True, slots=True)
class Weakness:
    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        known = f" ({', '.join(self.aliases)})" if self.aliases else ""
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "not fixed yet"
        return f"{self.package} {self.version}: {self.id}{known}, {fixed}"


@dataclass(frozen=True, slots=True)
class Report:
    """`unknown`: packages of which the service told nothing; None: it could not be asked at all."""

    audited: frozenset[str]
    unknown: frozenset[str] | None
    weaknesses: tuple[Weakness, ...] = ()
    trouble: str = ""

    @property
    def is_whole(self) -> bool:
        return self.unknown == frozenset()


def read(out: str, err: str) -> Report:
    """What `pip-audit --format json` said."""
    try:
        dependencies = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = err.strip().splitlines()
        return Report(frozenset(), None, trouble=lines[-1][:300] if lines else "it said nothing")
    audited = [d for d in dependencies if "skip_reason" not in d]
    found = tuple(
        Weakness(d["name"], d["version"], v["id"], tuple(v["aliases"]), tuple(v["fix_versions"]))
        for d in audited
        for v in d["vulns"]
        if not {v["id"], *v["aliases"]} & set(ACCEPTED)
    )
    unknown = frozenset(d["name"] for d in dependencies if "skip_reason" in d)
    return Report(frozenset(d["name"] for d in audited), unknown, found)


def verdict(reports: Mapping[str, Report]) -> tuple[int, list[str]]:
    """The exit code, and what to say."""
    weak = list(dict.fromkeys(w for report in reports.values() for w in report.weaknesses))
    if weak:
        return 1, [f"weak: {one}" for one in weak]
    audited = frozenset[str]().union(*(report.audited for report in reports.values()))
    left = frozenset[str]().union(*(report.unknown or () for report in reports.values())) - audited
    said = [f"{name}: {report.trouble}" for name, report in reports.items() if report.trouble]
    if not audited:
        return 0, [
            *said,
            "NOT AUDITED: no service told anything of any package; try again elsewhere",
        ]
    if left:
        return 0, [
            *said,
            f"no known weakness in {len(audited)}; NOT AUDITED: {', '.join(sorted(left))}",
        ]
    return 0, [f"no known weakness in {len(audited)} packages"]


def ask(service: str, command: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> Report:
    """Nothing is installed for it: the lock names every version."""
    arguments = [
        *("--requirement", str(_LOCK), "--disable-pip", "--no-deps", "--format", "json"),
        *("--progress-spinner", "off", "--desc", "off", "--vulnerability-service", service),
    ]
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return Report(frozenset(), None, trouble=f"no answer within {_PATIENCE} s")
    return read(done.stdout, done.stderr)


def main() -> int:
    reports: dict[str, Report] = {}
    for service in _SERVICES:
        reports[service] = ask(service)
        if reports[service].is_whole:
            break
    code, said = verdict(reports)
    print(*said, sep="\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
