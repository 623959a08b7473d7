"""What an import is brought, as facts: rows of programs, pages of platforms. Of what cannot be read, why."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from hub.history.model import RowFault
from hub.sources.base import Impossible, Platform, Unreadable
from hub.sources.canonical import MODEL_OF
from hub.sources.mapping import overridden
from hub.sources.model import Facts, Incoming, Kind, Source
from hub.wording import wording

Numbered = tuple[int, Facts]
"""With the number of its row in the run, from 1."""

_BREATH = 25
"""Rows read at a stretch: others wait for the same processor."""

_FETCHED_AT_ONCE = 4
_MOST_WORDS = 3


async def of_rows(
    kind: Kind, given: Sequence[Any], *, first: int
) -> tuple[list[Numbered], list[RowFault]]:
    """`given`: objects in the shape of `POST /v1/events`; null is a row that whoever brings it could not read."""
    facts: list[Numbered] = []
    faults: list[RowFault] = []
    for row, value in enumerate(given, first):
        try:
            facts.append((row, _canonical(kind, value)))
        except Unreadable as error:
            faults.append(RowFault(row, str(error)))
        if row % _BREATH == 0:
            await asyncio.sleep(0)
    return facts, faults


def _canonical(kind: Kind, value: Any) -> Facts:
    if not isinstance(value, Mapping):
        raise Unreadable("is no object" if value is not None else "could not be read")
    try:
        # From JSON, and only from JSON, strict models take times and lists.
        return MODEL_OF[kind].model_validate_json(orjson.dumps(value)).facts()
    except ValidationError as error:
        raise Unreadable("; ".join(words(error))) from None


def words(error: ValidationError) -> Iterator[str]:
    """Where and why, without what stood there."""
    for one in error.errors(include_url=False, include_input=False)[:_MOST_WORDS]:
        where = "/".join(map(str, one["loc"]))
        yield f"/{where} {wording(one)}"


async def of_page(
    source: Source, platform: Platform, items: Sequence[Incoming], *, first: int
) -> tuple[list[Numbered], list[RowFault]]:
    """Thin items are fetched, a few at once; what is gone meanwhile is left out.

    Raises `Later`, `Trouble`.
    """
    payloads = await _payloads(platform, items)
    facts: list[Numbered] = []
    faults: list[RowFault] = []
    for row, (item, payload) in enumerate(zip(items, payloads, strict=True), first):
        try:
            if isinstance(payload, Impossible):
                raise Unreadable(str(payload))
            if item.kind is not None and payload is not None and not item.ignored:
                read = platform.facts(item.kind, payload)
                facts.append((row, overridden(item.kind, payload, read, source.mapping)))
        except Unreadable as error:
            faults.append(RowFault(row, str(error)))
        if row % _BREATH == 0:
            await asyncio.sleep(0)
    return facts, faults


async def _payloads(
    platform: Any, items: Sequence[Incoming]
) -> list[Mapping[str, Any] | Impossible | None]:
    free = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def fetched(item: Incoming) -> Mapping[str, Any] | Impossible | None:
        if item.payload is not None or item.kind is None or item.ignored:
            return item.payload
        async with free:
            try:
                found: Mapping[str, Any] | None = await platform.fetch(item.kind, item.object)
            except Impossible as error:
                return error
            return found

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetched(item)) for item in items]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
