"""Pages of a list: a signed cursor that carries the last item's key and the filters it belongs to."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import orjson
from aiohttp import web
from pydantic import Field

from hub.api.body import Out, Query
from hub.api.keys import HUB, SHOP
from hub.errors import Fault, InvalidInput
from hub.tokens import BadToken

_PURPOSE = "cursor"
_MARK_BYTES = 8


class ListQuery(Query):
    limit: int = Field(default=50, ge=1, le=200, description="Items on a page.")
    cursor: str | None = Field(
        default=None,
        max_length=2000,
        description="`next_cursor` of the page before, with the same filters.",
    )


ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")


class Page(Out, Generic[ItemT]):
    items: list[ItemT]
    next_cursor: str | None = Field(description="For the next page; null: this is the last one.")


def position(request: web.Request, query: ListQuery) -> str | None:
    """The key of the last item of the page before; None: from the start. Raises `InvalidInput`."""
    if query.cursor is None:
        return None
    try:
        payload = request.app[HUB].signer.read(_PURPOSE, query.cursor)
    except BadToken:
        raise InvalidInput(
            faults=[Fault("/cursor", "is not a cursor that this hub gave out")]
        ) from None
    mark, last = payload[:_MARK_BYTES], payload[_MARK_BYTES:]
    if mark != _mark(request, query):
        raise InvalidInput(faults=[Fault("/cursor", "belongs to another list or other filters")])
    return last.decode()


def page(
    request: web.Request,
    query: ListQuery,
    rows: Sequence[RowT],
    *,
    key: Callable[[RowT], str],
    show: Callable[[RowT], Any],
) -> Page[Any]:
    """`rows` are asked for with `limit + 1`: one more than shown means that there is a next page."""
    shown = rows[: query.limit]
    cursor = None
    if len(rows) > query.limit:
        payload = _mark(request, query) + key(shown[-1]).encode()
        cursor = request.app[HUB].signer.sign(_PURPOSE, payload)
    return Page[Any].model_construct(items=[show(row) for row in shown], next_cursor=cursor)


def _mark(request: web.Request, query: ListQuery) -> bytes:
    """What a cursor is good for: this path, this shop, these filters. The limit may change."""
    filters = query.model_dump(mode="json", exclude={"limit", "cursor"})
    whole = orjson.dumps([request.path, request[SHOP].id, filters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(whole).digest()[:_MARK_BYTES]
