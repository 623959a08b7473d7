"""Every failure has a meaning in both languages."""

import re
from pathlib import Path

import pytest

import channels
from hub.api.console import meaning
from hub.api.console.rendering import words
from hub.config import Locale


@pytest.mark.parametrize(
    ("reason", "code", "key"),
    [
        ("recipient_refused", "403", "recipient_refused"),
        # The address is what counts, whatever the code looks like.
        ("recipient_refused", "no-answer", "recipient_refused"),
        ("gave_up", "no-connection", "no_connection"),
        ("retrying", "throttled", "throttled"),
        ("maybe_sent", "no-answer", "timeout"),
        ("maybe_sent", "", "maybe_sent"),
        ("retrying", "http-503", "unavailable"),
        ("message_refused", "text-too-long", "too_long"),
        ("message_refused", "100", "message_refused"),
        ("account_refused", "certificate", "certificate"),
        ("something_new", "42", "other"),
        ("", "", "other"),
    ],
)
def test_by_reason_and_by_the_class_of_the_code(reason: str, code: str, key: str) -> None:
    assert meaning.key(reason, code) == key


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_each_is_said_in_words(locale: Locale) -> None:
    said = words("", locale)
    known = meaning.REASONS | {key for _, key in meaning.CODES}

    assert known <= said["errors"].keys()
    for key in meaning.REASONS:
        assert meaning.told(said, key, "").endswith(".")


def test_reasons_are_those_that_the_hub_gives() -> None:
    """A new one in the code wants words."""
    folder = Path(channels.__file__).parent.parent / "hub" / "notifications"
    code = "\n".join(file.read_text() for file in folder.glob("*.py"))
    given = set(re.findall(r"reason(?: = |=)[\"'](\w+)[\"']", code))
    # Nobody failed: somebody wanted it so, or it is going on.
    given -= {"collapsed", "cancelled", "quiet_hours", "held", "restored"}

    assert given <= meaning.REASONS
    assert "gave_up" in meaning.REASONS
