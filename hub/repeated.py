"""What stands twice where each may stand once."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

OneT = TypeVar("OneT", bound=Hashable)


def first_repeated(items: Iterable[OneT]) -> OneT | None:
    """The first that was there before; None: no two are the same. It looks at each once: others choose how many."""
    seen: set[OneT] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
