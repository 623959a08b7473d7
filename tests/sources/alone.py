"""A platform's module tried alone, without a hub: what it refuses, what an order means, all that it reads."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from hypothesis import strategies as st

from channels.base import BadHook
from channels.http import ProviderHttp
from hub.sources.base import Ask, Page, Purpose
from hub.sources.http import ShopHttp
from hub.sources.model import Facts, Incoming, Kind, OrderFacts


class Means(Protocol):
    """Any platform."""

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts: ...


class Read(Protocol):
    """Any platform that can be read back."""

    async def read(self, ask: Ask) -> Page: ...


async def free() -> None:
    """No limit is near."""


def no_http() -> ShopHttp:
    """For what calls nobody."""
    return ShopHttp(ProviderHttp.__new__(ProviderHttp), free)


@contextmanager
def refused(*, forged: bool, match: str | None = None) -> Iterator[None]:
    """What is heard meanwhile is refused. `forged`: for its proof; otherwise for what it says."""
    with pytest.raises(BadHook, match=match) as refusal:
        yield
    assert refusal.value.forged is forged


def order_of(platform: Means, payload: Mapping[str, Any]) -> OrderFacts:
    """What an order means that was let through."""
    facts = platform.facts(Kind.ORDER, payload)
    assert isinstance(facts, OrderFacts)
    return facts


def ask(kind: Kind = Kind.ORDER, **changes: Any) -> Ask:
    """For what changed since yesterday."""
    return replace(Ask(kind, datetime.now(UTC) - timedelta(days=1), Purpose.CATCH_UP), **changes)


async def read_all(platform: Read, begin: Ask) -> list[Page]:
    """Page after page, to the end."""
    pages = [await platform.read(begin)]
    while pages[-1].more:
        assert len(pages) < 20
        pages.append(await platform.read(replace(begin, position=kept(pages[-1]))))
    return pages


async def all_of(platform: Read, begin: Ask) -> tuple[list[Incoming], Ask]:
    """Everything from there on, and how to go on from its end."""
    pages = await read_all(platform, begin)
    items = [item for page in pages for item in page.items]
    return items, replace(begin, position=kept(pages[-1]))


def kept(page: Page) -> dict[str, Any]:
    """Its position, as the database gives it back."""
    position: dict[str, Any] = json.loads(json.dumps(page.position))
    assert position == page.position
    return position


def objects(pages: list[Page]) -> list[str]:
    """The ids of all that was read, in that order."""
    return [item.object for page in pages for item in page.items]


def any_json(*names: str) -> st.SearchStrategy[Any]:
    """JSON of any shape; its objects have fields of these names."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=6)
        ),
    )
