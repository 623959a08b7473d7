"""What is in a parcel, and what is to be changed in one that was packed before the order was changed. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TypeVar

from hub.orders.model import Line, Packed, QuestionLine, Repacked

_Line = TypeVar("_Line", Line, QuestionLine)


def parcel(lines: Sequence[Line]) -> tuple[Packed, ...]:
    """What lies in it once these lines are packed."""
    return tuple(
        Packed(
            line.id,
            line.sku,
            line.title,
            line.quantity if line.confirmed is None else line.confirmed,
        )
        for line in lines
    )


def goods(packed: Iterable[Packed]) -> Mapping[str, tuple[str, int]]:
    """What is packed and how many of it, by line. A new title or price is packed like the old one."""
    return {one.id: (one.sku, one.quantity) for one in packed}


def grew(before: Iterable[Packed], after: Iterable[Packed]) -> set[str]:
    """The lines of which there is more to pack than there was, or something else."""
    had = goods(before)
    return {
        id_
        for id_, (sku, pieces) in goods(after).items()
        if id_ not in had or had[id_][0] != sku or had[id_][1] < pieces
    }


def to_pack(
    lines: Iterable[_Line],
    waiting: Set[str],
    packed: Iterable[Packed],
    lying: Callable[[_Line, Packed], _Line],
) -> list[_Line]:
    """What is packed of these lines. One that is being asked for (its id is in `waiting`) lies in the parcel as it was
    `packed`, if it was, until the answer is there: `lying` makes that of it."""
    had = {one.id: one for one in packed}
    found = []
    for line in lines:
        if line.id in waiting:
            if old := had.get(line.id):
                found.append(lying(line, old))
        elif line.confirmed != 0:
            found.append(line)
    return found


def changes(before: Iterable[Packed], lines: Iterable[QuestionLine]) -> tuple[Repacked, ...]:
    """What makes of a parcel with `before` one with `lines`: first what is taken out."""
    had = {one.id: one for one in before}
    now = {line.id: line for line in lines}
    found = [
        Repacked(old.id, old.sku, old.title, old.quantity, 0)
        for old in had.values()
        if old.id not in now or now[old.id].sku != old.sku
    ]
    for line in now.values():
        old_one = had.get(line.id)
        was = old_one.quantity if old_one and old_one.sku == line.sku else 0
        if was != line.asked:
            found.append(Repacked(line.id, line.sku, line.title, was, line.asked))
    return tuple(found)
