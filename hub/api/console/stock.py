"""The stock board: who is asked for what, what is late; and answers given by phone, noted for whoever gave them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from hub.api.console.frame import Pages, Visit, see, show
from hub.api.console.orders_shown import asked, asked_id, person, staff_name
from hub.operators.model import Right
from hub.orders import desk, views
from hub.orders.desk import Message
from hub.orders.model import ACTIVE, Question, RequestStatus

# With the words and templates of orders.
pages = Pages("orders")

_AT_ONCE = 50
_LATE = (RequestStatus.OVERDUE, RequestStatus.ESCALATED)
_TABS = ("waiting", "late", "packing", "answered")


@pages.get("/stock")
async def board(visit: Visit) -> web.StreamResponse:
    """What waits the longest stands first."""
    tab = asked(visit, "tab")
    tab = tab if tab in _TABS else "waiting"
    ids = await _ids(visit, tab)
    more, ids = len(ids) > _AT_ONCE, ids[:_AT_ONCE]
    db = visit.hub.db
    found: Mapping[UUID, Any] = (
        await views.tasks(db, ids) if tab == "packing" else await views.questions(db, ids)
    )
    told = await desk.asked(db, ids)
    return show(
        visit,
        "board.html",
        title=visit.said["nav"]["stock"],
        tab=tab,
        tabs=[(visit.url("/stock", tab=one), visit.said["tabs"][one], one == tab) for one in _TABS],
        rows=[(found[id_], _people(visit, told.get(id_, []))) for id_ in ids if id_ in found],
        is_late=lambda question: is_late(visit, question),
        staff_name=lambda name: staff_name(visit, name),
        active=ACTIVE,
        may_answer=visit.may(Right.STOCK),
        older=visit.here(after=str(ids[-1])) if more else "",
        newest=visit.here(after=None) if visit.request.query.get("after") else "",
        # A later page stays as it is: what was answered meanwhile would move everything.
        live=visit.here() if tab != "answered" and not visit.request.query.get("after") else "",
    )


async def _ids(visit: Visit, tab: str) -> list[UUID]:
    db, shop_id, after, most = visit.hub.db, visit.shop.id, asked_id(visit, "after"), _AT_ONCE + 1
    match tab:
        case "late":
            return await desk.waiting(db, shop_id, _LATE, after=after, limit=most)
        case "packing":
            return await desk.packing(db, shop_id, after=after, limit=most)
        case "answered":
            return await desk.answered(db, shop_id, before=after, limit=most)
    return await desk.waiting(db, shop_id, after=after, limit=most)


def is_late(visit: Visit, question: Question) -> bool:
    if question.status not in ACTIVE:
        return False
    return question.status is not RequestStatus.OPEN or bool(
        question.deadline and question.deadline < visit.now
    )


def _people(visit: Visit, told: Sequence[Message]) -> list[tuple[str, Message]]:
    """Each of those who were asked once, with the last message to him."""
    last = {one.person.id if one.person else one.id: one for one in told}
    return [(person(visit, one.person), one) for one in last.values()]


def to_board(visit: Visit, note: str, *, tab: str = "") -> web.Response:
    return see(visit, "/stock", note=note, tab=tab)


def status_of(*, faulty: bool) -> HTTPStatus:
    return HTTPStatus.UNPROCESSABLE_ENTITY if faulty else HTTPStatus.OK
