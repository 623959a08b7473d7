"""Regular expressions that mean the same to every Python that is supported."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("hub", "bots", "channels")

# Before 3.11.5 they do not match what they should where something inside may be given back (CPython gh-106052).
POSSESSIVE_GROUP = re.compile(r"[^(]\)(?:[*+?]|\{[0-9,]+\})\+")


def texts(source: str) -> list[str]:
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.STRING
    ]


@pytest.mark.parametrize("pattern", [r"(?:a|b)*+", r"(?:a*)?+", r"(a)++", r"(?:ab){2,3}+"])
def test_a_possessive_group_is_found(pattern: str) -> None:
    assert POSSESSIVE_GROUP.search(texts(f'X = re.compile(r"{pattern}c")')[0])


def test_groups_give_nothing_back_by_being_atomic() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text.strip()[:80]}"
        for part in OURS
        for path in (ROOT / part).rglob("*.py")
        for text in texts(path.read_text())
        if POSSESSIVE_GROUP.search(text)
    ]

    assert found == []
