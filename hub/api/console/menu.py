"""What the console's menu offers, in its order. What no module serves yet is left out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hub.operators.model import Right


@dataclass(frozen=True, slots=True)
class Entry:
    """`name`: of its words and its picture. `key`: after `g` it leads there. `main`: at the thumb on a phone."""

    name: str
    path: str
    right: Right = Right.VIEW
    key: str = ""
    main: bool = False


MENU: Sequence[Entry] = (
    Entry("home", "/", key="h", main=True),
    Entry("messages", "/messages", key="m", main=True),
    Entry("orders", "/orders", key="o", main=True),
    Entry("stock", "/stock", key="s", main=True),
    Entry("people", "/people", key="p"),
    Entry("templates", "/templates", Right.TEMPLATES, key="t"),
    Entry("statistics", "/statistics", Right.STATISTICS, key="c"),
    Entry("set_up", "/set-up", Right.SET_UP, key="u"),
    Entry("sandbox", "/sandbox", key="b"),
    Entry("audit", "/audit", Right.OPERATORS, key="a"),
    Entry("operators", "/operators", Right.OPERATORS, key="r"),
)


def offered(rights: Collection[Right], served: Collection[str]) -> list[Entry]:
    """`served`: paths below the shop that there are."""
    return [entry for entry in MENU if entry.right in rights and entry.path in served]


def present(path: str) -> str:
    """The name of the entry that a path below the shop belongs to; empty: none of them."""
    for entry in MENU:
        if entry.path != "/" and (path == entry.path or path.startswith(f"{entry.path}/")):
            return entry.name
    return "home" if path == "/" else ""
