"""Reading CS-Cart back: its lists know pages by number, newest first or oldest first, and no "changed since"."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import orjson

from hub.sources.base import Ask, Page
from hub.sources.model import Action, Incoming, Kind
from hub.sources.platforms import cscart_fields as fields
from hub.sources.values import instant, number, rows, table, text

_ROWS = 100
_AT_ONCE = 4

# Orders that are read in one go, between two of which what was read is kept.
_AT_A_TIME = 25

# So many pages are turned for orders that are not over; the older ones are read one by one, so many a time.
_DEEPEST = 10
_BY_HAND = 50

# Rows of which is remembered what they told.
_SEEN = 1000

# Orders are stamped by the web server and listed when they are finished.
_OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class List:
    """`name`: of the resource and of the list in its answer; `sort`: by the time that `at` holds."""

    name: str
    id: str
    sort: str
    at: str


LISTS: Mapping[Kind, List] = {
    Kind.ORDER: List("orders", "order_id", "date", "timestamp"),
    Kind.CUSTOMER: List("users", "user_id", "date", "timestamp"),
    Kind.PRODUCT: List("products", "product_id", "timestamp", "timestamp"),
    Kind.CART: List("carts", "user_id", "date", "date"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page: `total` rows are on all of them, `size` on each, which may be fewer than were asked for."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    size: int
    more: bool


class Get(Protocol):
    def __call__(self, path: str, params: Mapping[str, str]) -> Awaitable[Any | None]: ...


Find = Callable[[Kind, str], Awaitable[Mapping[str, Any] | None]]


class Lists:
    """`fetch`: one object as the hub reads it, `find`: the same without looking for its parcel."""

    def __init__(self, get: Get, fetch: Find, find: Find) -> None:
        self._get = get
        self._fetch = fetch
        self.find = find

    async def page(
        self,
        of: List,
        page: int,
        order: str,
        *,
        size: int = 0,
        which: Mapping[str, str] | None = None,
    ) -> Listed:
        given = table(
            await self._get(
                of.name,
                {
                    "page": str(page),
                    "items_per_page": str(size or _ROWS),
                    "sort_by": of.sort,
                    "sort_order": order,
                    **(which or {}),
                },
            )
        )
        found = [row for row in rows(given.get(of.name)) if text(row.get(of.id)).isdigit()]
        params = table(given.get("params"))
        total = int(number(params.get("total_items")) or 0)
        taken = int(number(params.get("items_per_page")) or 0) or size or _ROWS
        return Listed(found, total, taken, more=bool(found) and page * taken < total)

    async def newest(self, ask: Ask) -> Page:
        """Newest first, until what was there the last time; for orders further, until all that are not over were
        seen. New ones push rows to the next page, so some come twice and none is lost."""
        of, at = LISTS[ask.kind], dict(ask.position or {})
        page = int(at.get("page", 1))
        begin = instant(at.get("begin")) or ask.since
        floor = instant(at.get("floor")) or ask.since
        listed = await self.page(of, page, "desc")
        times = [when for row in listed.rows if (when := instant(row.get(of.at)))]
        newest = max([*times, instant(at.get("newest")) or floor])
        left = at["open"] if "open" in at else [id_ for id_ in ask.open if id_.isdigit()]
        # What lies above the lowest number here was on a page already, or is gone.
        lowest = min((int(text(row[of.id])) for row in listed.rows), default=0)
        left = [id_ for id_ in left if int(id_) < lowest]
        seen: dict[str, str] = dict(at.get("seen", {}))
        items, is_whole = await self._changed(ask, listed.rows, begin, seen)
        kept = {"begin": _iso(begin), "seen": seen}
        deeper = min(times, default=floor) >= floor or (left and page < _DEEPEST)
        if not is_whole or (listed.more and deeper):
            then = {
                "page": page + 1 if is_whole else page,
                "floor": _iso(floor),
                "newest": _iso(newest),
            }
            rest = left if is_whole else at.get("open", list(ask.open))
            return Page(items, {**kept, **then, "open": rest, "hand": at.get("hand", 0)}, more=True)
        hand = _turn(left, int(at.get("hand", 0)))
        items += await _by_hand(self._fetch, ask.kind, hand)
        done = {"floor": _iso(newest - _OVERLAP), "hand": int(hand[-1]) if hand else 0}
        return Page(items, {**kept, **done}, more=False)

    async def _changed(
        self, ask: Ask, found: Sequence[Mapping[str, Any]], begin: datetime, seen: dict[str, str]
    ) -> tuple[list[Incoming], bool]:
        """What is new in these rows, or says something else than in `seen`, which is brought up to date: a row tells
        an order's status and sum. Whatever was made before the source is history, but for what the hub knows. False:
        there is more in them, since a shop that fails now and then shall not make us read a hundred orders anew."""
        of, open_ = LISTS[ask.kind], set(ask.open)
        wanted: list[Mapping[str, Any]] = []
        for row in found:
            id_, told = text(row[of.id]), digest(fields.kept_of(ask.kind, row))[:8]
            is_ours = id_ in open_ or max(_times(row, of), default=begin) >= begin
            if is_ours and seen.get(id_) != told:
                if ask.kind is Kind.ORDER and len(wanted) == _AT_A_TIME:
                    break
                wanted.append(row)
            seen[id_] = told
        else:
            for id_ in sorted(seen, key=int, reverse=True)[_SEEN:]:
                del seen[id_]
            return await self._read(ask.kind, wanted), True
        return await self._read(ask.kind, wanted), False

    async def _read(self, kind: Kind, found: Sequence[Mapping[str, Any]]) -> list[Incoming]:
        of = LISTS[kind]
        if kind is Kind.ORDER:
            return await _by_hand(self._fetch, kind, [text(row[of.id]) for row in found])
        return [item for row in found if (item := _of_row(kind, row, of))]

    async def history(self, ask: Ask) -> Page:
        """Oldest first, so that what comes meanwhile lands behind. Orders are read one by one: rows have no lines."""
        of, at = LISTS[ask.kind], dict(ask.position or {})
        size = _AT_A_TIME if ask.kind is Kind.ORDER else _ROWS
        page = int(at["page"]) if at else await self._first_page(of, ask.since, size)
        listed = await self.page(of, page, "asc", size=size)
        found = listed.rows
        total = int(at.get("total", max(listed.total - (page - 1) * listed.size, 0)))
        wanted = [row for row in found if (instant(row.get(of.at)) or ask.since) >= ask.since]
        if ask.kind is Kind.ORDER:
            items = await _by_hand(self.find, ask.kind, [text(row[of.id]) for row in wanted])
        else:
            items = [item for row in wanted if (item := _of_row(ask.kind, row, of))]
        return Page(items, {"page": page + 1, "total": total}, listed.more, total)

    async def _first_page(self, of: List, since: datetime, size: int) -> int:
        """The page on which `since` lies, found by halving: the filter by time is documented for carts only."""
        listed = await self.page(of, 1, "asc", size=size)
        low, high = 1, max(-(-listed.total // listed.size), 1)
        while low < high:
            middle = (low + high) // 2
            listed = await self.page(of, middle, "asc", size=size)
            last = instant(listed.rows[-1].get(of.at)) if listed.rows else None
            if last is not None and last < since:
                low = middle + 1
            else:
                high = middle
        return low


async def _by_hand(find: Find, kind: Kind, ids: Sequence[str]) -> list[Incoming]:
    items: list[Incoming] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        found = await asyncio.gather(*(find(kind, id_) for id_ in some))
        items += [
            Incoming(kind, Action.UPDATED, id_, f"poll:{kind}:{id_}:{digest(one)}", payload=one)
            for id_, one in zip(some, found, strict=True)
            if one is not None
        ]
    return items


def _of_row(kind: Kind, row: Mapping[str, Any], of: List) -> Incoming | None:
    """Of customers and products a row says all. Without a time: a change is newer than when it was made."""
    if fields.staff(kind, row):
        return None
    id_, told = text(row[of.id]), fields.kept_of(kind, row)
    return Incoming(kind, Action.UPDATED, id_, f"poll:{kind}:{id_}:{digest(told)}", payload=told)


def _times(row: Mapping[str, Any], of: List) -> list[datetime]:
    """When it was made, and changed where that is told."""
    return [at for name in (of.at, "updated_timestamp") if (at := instant(row.get(name)))]


def _turn(left: Sequence[str], after: int) -> list[str]:
    """The next ones in turn, by number."""
    ordered = sorted(left, key=int)
    return [id_ for id_ in ordered if int(id_) > after][:_BY_HAND] or ordered[:_BY_HAND]


def digest(told: Mapping[str, Any]) -> str:
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
