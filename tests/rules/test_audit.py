"""What the audit of dependencies makes of what it is told: silence is no clean bill, and no failure either."""

import json
import sys
from typing import Any

import pytest

from tests.rules import audit
from tests.rules.audit import Report, read, verdict

CLEAN = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "PYSEC-2025-1", "fix_versions": ["3.1.6"], "aliases": ["CVE-2025-27516"]}],
}
SKIPPED = {"name": "orjson", "skip_reason": "Dependency not found on PyPI"}


def told(*dependencies: Any) -> Report:
    return read(json.dumps({"dependencies": dependencies, "fixes": []}), "")


def test_a_weakness_fails_and_names_the_way_out() -> None:
    code, said = verdict({"pypi": told(CLEAN, WEAK, SKIPPED)})

    assert code == 1
    assert said == ["weak: jinja2 3.1.5: PYSEC-2025-1 (CVE-2025-27516), fixed in 3.1.6"]


def test_what_was_accepted_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-2025-27516": "no shop's template can call |attr"})

    assert verdict({"pypi": told(CLEAN, WEAK)}) == (0, ["no known weakness in 2 packages"])


def test_nobody_to_ask_is_said_and_does_not_fail() -> None:
    away = read("", "Traceback\nConnectionError: api.osv.dev cannot be resolved\n")

    code, said = verdict({"pypi": told(SKIPPED), "osv": away})

    assert code == 0
    assert said[0] == "osv: ConnectionError: api.osv.dev cannot be resolved"
    assert said[1].startswith("NOT AUDITED: no service")


def test_what_one_does_not_know_the_other_is_asked_for() -> None:
    both = {"pypi": told(CLEAN, SKIPPED), "osv": told({**CLEAN, "name": "orjson"})}

    assert verdict(both) == (0, ["no known weakness in 2 packages"])
    assert verdict({"pypi": both["pypi"]}) == (
        0,
        ["no known weakness in 1; NOT AUDITED: orjson"],
    )


@pytest.mark.parametrize("out", ["", "null", "[]", '{"dependencies": ', "{}", "No known"])
def test_whatever_it_says_instead_of_an_answer_is_no_answer(out: str) -> None:
    report = read(out, "")

    assert (report.unknown, report.trouble) == (None, "it said nothing")


def test_a_service_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PATIENCE", 0.2)

    report = audit.ask("pypi", (sys.executable, "-c", "import time; time.sleep(30)"))

    assert report.trouble == "no answer within 0.2 s"
