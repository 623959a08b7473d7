"""Which modules the console has: whatever lies beside this one and has `pages`."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

import hub.api.console
from hub.api.console import entrance, links, static
from hub.api.console.frame import Pages
from hub.api.routes import Routes

_PREFIX = "/console/{shop}"


@cache
def all_pages() -> Sequence[Pages]:
    found: dict[int, Pages] = {}
    package = hub.api.console
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        pages = getattr(import_module(module.name), "pages", None)
        if isinstance(pages, Pages):
            found[id(pages)] = pages
    return sorted(found.values(), key=lambda pages: pages.name)


def console_routes() -> list[Routes]:
    """The last one answers what no other knows."""
    return [
        static.routes,
        links.routes,
        entrance.routes,
        *(pages.routes for pages in all_pages()),
        entrance.nowhere,
    ]


def served() -> frozenset[str]:
    """Paths of pages below a shop."""
    return frozenset(
        route.path.removeprefix(_PREFIX)
        for pages in all_pages()
        for route in pages.routes
        if route.method == "GET"
    )
