"""What the product must never say: everything that it logged or printed during the tests is read, and a test in
which a secret, an address or somebody's words came out fails.

Read are: stdout and stderr as pytest captures them, what tests take from `capsys` and from processes that they
started, and every `*.log` in the tests' folders. Secrets are known by how they look, and because every value
that was ever put into a `SecretStr` is one.
"""

import re
import subprocess
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic.types import _SecretBase

from hub import logs


@dataclass(frozen=True, slots=True)
class Allowed:
    """Lines that may hold what others may not."""

    line: re.Pattern[str]
    because: str


ALLOWED: Sequence[Allowed] = (
    Allowed(
        re.compile(r"(  )?vst_[A-Za-z0-9]+_[\w-]+"),
        "a new key, shown once by `up` at its first start or by `keys create`, and nothing else in the line",
    ),
    Allowed(
        re.compile(r"  curl http://\S+ -H 'Authorization: Bearer vst_[\w-]+'( \\)?"),
        "the lines to try it with, beside that key",
    ),
    Allowed(
        re.compile(r""".* -d '\{"recipient": .*"anna@example\.com".*'"""),
        "the example in these lines; the address is ours",
    ),
    Allowed(
        re.compile(
            r"\S+@\S+  (?:[\w,:-]+)  (?:second factor|password only)  (?:seen .*|no session.*)"
        ),
        "an operator, told by `operators list` to whoever sits at the machine",
    ),
)

# How secrets and people look.
_LOOKS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("an API key", re.compile(r"vst_[A-Za-z0-9]+_[A-Za-z0-9_-]{8,}")),
    ("a webhook's secret", re.compile(r"whsec_[A-Za-z0-9+/=]{8,}")),
    ("a bot's token", re.compile(r"\b\d{5,}:[A-Za-z0-9_-]{20,}")),
    ("a password's hash", re.compile(r"\$argon2")),
    ("a password in a URL", re.compile(r"://[^/\s:@\"']*:[^/\s@\[\]\"']+@")),
    ("an e-mail address", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b")),
    ("a phone number", re.compile(r"(?<![\w.-])\+?7\d{10}\b")),
)

# Only of lines of the log: what a command says to the one who called it may be a hook's address or a name.
_LOG_LINE = re.compile(r'\{.*"event": ".*\}')
_LOOKS_IN_LOGS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("a link", re.compile(r"/(?:u|p|a|c|o|hooks|first|invite)/[A-Za-z0-9_-]{16,}")),
    # We log in English; what people are called and what they write is Russian in the tests.
    ("somebody's name or words", re.compile(r"[А-Яа-яЁё]{3,}")),
)

_SHORTEST = 8
"""Shorter ones are found in words that are none."""

_secrets: set[str] = set()
_heard: list[tuple[str, str]] = []


def hear(source: str, text: str) -> None:
    """Something the product said where pytest does not look."""
    if text:
        _heard.append((source, text))


def know(secret: str) -> None:
    """One that is made by the product itself, in a process of its own."""
    if len(secret) >= _SHORTEST:
        _secrets.add(secret)


def found(source: str, text: str) -> Iterator[str]:
    """A line for each line that leaks."""
    for line in text.splitlines():
        # One reason is enough: a key is often one of the settings, too.
        if what := next(_leaks(line), None):
            yield f"{source}: {what}: {line.strip()[:500]}"


def _leaks(line: str) -> Iterator[str]:
    if not line.strip() or any(allowed.line.fullmatch(line.rstrip()) for allowed in ALLOWED):
        return
    looks = [*_LOOKS, *(_LOOKS_IN_LOGS if _LOG_LINE.fullmatch(line.strip()) else ())]
    for what, look in looks:
        if look.search(line):
            yield what
    for secret in _secrets:
        if secret in line:
            yield "a secret of the settings"


# -- hooks of pytest, brought in by tests/conftest.py -----------------------------------------


def pytest_configure() -> None:
    _log_everything()
    _know_secrets()
    _hear_capsys()
    _hear_processes()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """The test in which it was said fails."""
    report = yield
    said = [
        (name, text)
        for when, name, text in item._report_sections
        # Libraries' own words as pytest hears them, before ours are redacted.
        if when == report.when and name in ("stdout", "stderr")
    ]
    leaks = _of(said)
    if leaks and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(["The product said what it must not:", *leaks])
    return report


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before and torn down after all others: reads the logs that servers and processes left."""
    yield
    files = sorted(tmp_path_factory.getbasetemp().rglob("*.log"))
    said = [(str(log), log.read_text(encoding="utf-8", errors="replace")) for log in files]
    if leaks := _of(said):
        pytest.fail("\n".join(["The product logged what it must not:", *leaks]), pytrace=False)


def _of(said: Sequence[tuple[str, str]]) -> list[str]:
    heard = [*said, *_heard]
    _heard.clear()
    return list(dict.fromkeys(leak for source, text in heard for leak in found(source, text)))


def _log_everything() -> None:
    """As the product does, and at the lowest level, whatever a command that a test runs asks for: loggers keep the
    level of their first use."""
    configure = logs.configure
    configure("debug")
    logs.configure = lambda level="info", *, role="": configure("debug")


def _know_secrets() -> None:
    make = _SecretBase.__init__

    def noted(self: Any, secret_value: Any) -> None:
        if isinstance(secret_value, str):
            know(secret_value)
        make(self, secret_value)

    _SecretBase.__init__ = noted  # type: ignore[method-assign]


def _hear_capsys() -> None:
    read = pytest.CaptureFixture.readouterr

    def heard(self: Any) -> Any:
        result = read(self)
        for text in result:
            hear("capsys", text if isinstance(text, str) else text.decode(errors="replace"))
        return result

    pytest.CaptureFixture.readouterr = heard  # type: ignore[method-assign]


def _hear_processes() -> None:
    """What `subprocess.run` and `communicate` give back."""
    communicate = subprocess.Popen.communicate

    def heard(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = communicate(self, *args, **kwargs)
        for text in result if _is_ours(self.args) else ():
            if text:
                said = text if isinstance(text, str) else text.decode(errors="replace")
                hear(f"process {self.args}", said)
        return result

    subprocess.Popen.communicate = heard  # type: ignore[method-assign]


def _is_ours(command: Any) -> bool:
    """A program that a test asks what it knows of a person (`pg_dump`, `curl`) may say it."""
    words = [str(word) for word in command] if isinstance(command, list | tuple) else [str(command)]
    return words[0].endswith("/vestnik") or words[1:3] == ["-m", "hub"]
