"""What the pages of orders, of questions and of the sandbox have in common: what an address asks for, and names."""

from contextlib import suppress
from uuid import UUID

from hub.api.console.frame import SERVED, Visit, masked_id, masked_name
from hub.errors import NotFound
from hub.operators.model import Right
from hub.orders.desk import Person

_LONGEST = 255


def asked(visit: Visit, name: str) -> str:
    """Of the address's query, leniently: what makes no sense is as good as left out."""
    return visit.request.query.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def asked_id(visit: Visit, name: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(visit.request.query.get(name, ""))
    return None


def id_in_path(visit: Visit) -> UUID:
    """Raises `NotFound`."""
    with suppress(ValueError):
        return UUID(visit.request.match_info["id"])
    raise NotFound


def staff_name(visit: Visit, name: str | None) -> str:
    """Of the shop's own people: whoever answers for them has to know who they are, but no address that stands for one."""
    if not name:
        return ""
    return masked_id(visit, name) if visit.may(Right.STOCK) else masked_name(visit, name)


def person(visit: Visit, who: Person | None) -> str:
    """Somebody's name as the operator may see it; without one, his role."""
    if who is None:
        return ""
    name = masked_name(visit, who.shown) if who.role == "buyer" else staff_name(visit, who.shown)
    return name or str(visit.said["contact_roles"].get(who.role, ""))


def page_of(visit: Visit, path: str, id_: UUID | None) -> str:
    """The address of a page of another module, `/people/{id}`; empty where there is none."""
    if id_ is None or path not in visit.request.app[SERVED]:
        return ""
    return visit.url(path.replace("{id}", str(id_)))
