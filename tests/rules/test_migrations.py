"""Migrations suit the version before them, too, which is still at work while they run: expand, move, contract later."""

import re
from collections.abc import Iterator

import pytest

from hub.db.migrate import Step, steps

# Everything up to there came with the first release, before anybody could be at work.
_FIRST_RELEASE = 12

_CONTRACT = re.compile(r"^-- contract: since \d+\.\d+\.\d+$", re.MULTILINE)
"""Says since which version nothing uses any more what this step takes away."""

_MADE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE)

_FORBIDDEN = {
    "takes something away": r"\bDROP\s+(TABLE|COLUMN|VIEW|FUNCTION|TRIGGER|TYPE|SCHEMA)\b|\bTRUNCATE\b",
    "gives something another name": r"\bRENAME\b",
    "changes a type, which rewrites the table": r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b",
    "asks for what the version before does not write": r"\bSET\s+NOT\s+NULL\b",
    "asks for a column that the version before does not write": (
        r"\bADD\s+(COLUMN\s+)?(IF\s+NOT\s+EXISTS\s+)?(?!CONSTRAINT\b)\w+(?:(?!,|;|\bDEFAULT\b).)*\bNOT\s+NULL\b"
        r"(?:(?!,|;|\bDEFAULT\b).)*(?=,|;)"
    ),
    "checks all rows under a lock": r"\bADD\s+CONSTRAINT\b(?!(?:(?!;).)*\bNOT\s+VALID\b)",
    "forbids what the version before may write": r"\bCREATE\s+UNIQUE\s+INDEX\b",
    "moves rows under a lock": r"^\s*(UPDATE|DELETE\s+FROM)\b",
    "reads a whole table under a lock": r"\bADD\s+COLUMN\b(?:(?!,|;).)*\b(random|gen_random_uuid|clock_timestamp)\(",
}


def _statements(sql: str) -> Iterator[str]:
    """Without comments and the bodies of functions, each with its semicolon."""
    sql = re.sub(r"--[^\n]*", "", sql)
    sql = re.sub(r"\$\$.*?\$\$", "''", sql, flags=re.DOTALL)
    for statement in sql.split(";"):
        if statement.strip():
            yield statement.strip() + ";"


def _faults(sql: str) -> list[str]:
    """What the version before would stumble over. Tables that the step itself makes are nobody's yet."""
    if _CONTRACT.search(sql):
        return []
    own = set(_MADE.findall(sql))
    found = []
    for statement in _statements(sql):
        about = re.search(
            r"^(?:ALTER TABLE|CREATE UNIQUE INDEX \w+ ON|UPDATE|DELETE FROM|TRUNCATE)\s+(?:ONLY\s+)?(\w+)",
            statement,
            re.IGNORECASE,
        )
        if about and about[1] in own:
            continue
        found += [
            f"{why}: {statement}"
            for why, pattern in _FORBIDDEN.items()
            if re.search(pattern, statement, re.IGNORECASE | re.DOTALL | re.MULTILINE)
        ]
    return found


@pytest.mark.parametrize("step", steps(), ids=lambda step: f"{step[0]:04}")
def test_a_step_suits_the_version_before_it(step: Step) -> None:
    number, _, sql = step

    assert number <= _FIRST_RELEASE or _faults(sql) == []


def test_no_number_is_given_twice() -> None:
    numbers = [number for number, _, _ in steps()]

    assert sorted(set(numbers)) == numbers


def test_an_index_that_takes_the_place_of_another_has_a_name_of_its_own() -> None:
    """The other one stays until it is built, see `hub.db.indexes`."""
    for _, _, sql in steps():
        made, dropped = (
            set(re.findall(rf"^{verb} INDEX (\w+)", sql, re.M)) for verb in ("CREATE", "DROP")
        )
        assert not made & dropped


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE delivery DROP COLUMN code;",
        "ALTER TABLE delivery RENAME COLUMN code TO word;",
        "ALTER TABLE delivery RENAME TO parcel;",
        "ALTER TABLE delivery ALTER COLUMN step TYPE int;",
        "ALTER TABLE delivery ALTER code SET DATA TYPE varchar(10);",
        "ALTER TABLE delivery ALTER COLUMN code SET NOT NULL;",
        "ALTER TABLE delivery ADD COLUMN more text NOT NULL;",
        "ALTER TABLE delivery\n    ADD COLUMN one text,\n    ADD COLUMN two text NOT NULL;",
        "ALTER TABLE delivery ADD CONSTRAINT positive CHECK (step >= 0);",
        "ALTER TABLE delivery ADD COLUMN more uuid DEFAULT gen_random_uuid();",
        "CREATE UNIQUE INDEX delivery_once ON delivery (notification_id, channel);",
        "UPDATE delivery SET code = '';",
        "DELETE FROM delivery;",
        "-- Of no use.\nDROP TABLE delivery;",
        "TRUNCATE receipt;",
    ],
)
def test_what_the_version_before_cannot_live_with_is_found(sql: str) -> None:
    assert _faults(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE delivery ADD COLUMN more text;",
        "ALTER TABLE delivery ADD COLUMN more text NOT NULL DEFAULT '';",
        "ALTER TABLE delivery ADD COLUMN one uuid, ADD COLUMN two int NOT NULL DEFAULT 0;",
        "ALTER TABLE delivery ALTER COLUMN code DROP NOT NULL;",
        "ALTER TABLE delivery ADD CONSTRAINT positive CHECK (step >= 0) NOT VALID;",
        "CREATE INDEX delivery_more ON delivery (code);",
        "CREATE TABLE fresh (id uuid);\nALTER TABLE fresh ALTER id SET NOT NULL;",
        "-- contract: since 0.2.0\nALTER TABLE delivery DROP COLUMN code;",
        "INSERT INTO shop (slug) VALUES ('x');",
    ],
)
def test_what_it_can_live_with_is_let_pass(sql: str) -> None:
    assert _faults(sql) == []
