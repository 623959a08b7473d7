"""The reader of everything that is said: what it finds, what it lets pass, and that it fails a test."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.leaks import found

ROOT = Path(__file__).parents[2]
EVENT = '{{"reason": "{}", "event": "x", "level": "info"}}'
PERSON, PHONE = "anna@" + "example.com", "7999" + "1234567"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("key vst_abcdefgh_" + "0123456789abcdef", "an API key"),
        ("whsec_" + "c2VjcmV0c2VjcmV0", "a webhook's secret"),
        ("123456789:" + "A" * 35, "a bot's token"),
        ("postgresql://me:hunter2" + "@db/x", "a password in a URL"),
        (f"to {PERSON} failed", "an e-mail address"),
        (f"to +{PHONE} failed", "a phone number"),
        (f"to {PHONE} failed", "a phone number"),
        (EVENT.format("/hooks/" + "a1b2c3d4e5f6g7h8i9"), "a link"),
        (EVENT.format("Здравствуйте"), "somebody's name or words"),
        ("the words of " + "a-very-own-secret", "a secret of the settings"),
    ],
)
def test_what_is_found(line: str, what: str) -> None:
    SecretStr("a-very-own" + "-secret")

    [leak] = found("here", line)

    assert leak.startswith(f"here: {what}: ")


@pytest.mark.parametrize(
    "line",
    [
        "  vst_abcdefgh_" + "0123456789abcdef",
        "vst_abcdefgh_" + "0123456789abcdef",
        '{"id": "01a2272d-7d2f-76b3-8b9c-9999dfa40f10", "event": "x", "took": 79991234.567}',
        "postgresql://[hidden]@127.0.0.1:5432/vestnik",
        "заказ 1001 собран",
    ],
)
def test_what_passes(line: str) -> None:
    assert list(found("here", line)) == []


def test_a_test_that_makes_the_product_say_it_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        f"""
import logging, subprocess, sys
import structlog

PERSON = {PERSON!r}

def test_a_library_says_it():
    logging.getLogger("x").warning("to %s", PERSON)

def test_a_field_holds_it():
    structlog.get_logger().info("x", detail=["to", PERSON], to=PERSON)

def test_it_is_printed():
    print("to", PERSON)

def test_it_is_read_from_capsys(capsys):
    print("to", PERSON)
    capsys.readouterr()

def test_it_stands_in_a_file(tmp_path):
    (tmp_path / "server.log").write_text(PERSON)
"""
    )

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.leaks",
            "-p",
            "no:cacheprovider",
            tmp_path,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    ended = [line.split()[0] for line in done.stdout.splitlines() if "::" in line]
    names = [
        line.partition("::")[2].split()[0] for line in done.stdout.splitlines() if "::" in line
    ]
    assert dict(zip(names, ended, strict=True)) == {
        "test_it_is_printed": "FAILED",
        "test_it_is_read_from_capsys": "FAILED",
        # Files are read when all is over.
        "test_it_stands_in_a_file": "ERROR",
    }, done.stdout
