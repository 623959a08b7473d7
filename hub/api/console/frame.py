"""What every page of the console stands in: who is there, what he may, in whose words; and how a page is made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, wraps
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import urlencode

from aiohttp import web

from hub.api.console import guard, rendering
from hub.api.console.bare import HEADERS as HEADERS
from hub.api.console.bare import nowhere_to_go, oops, told_of
from hub.api.console.guard import Form
from hub.api.console.menu import offered, present
from hub.api.console.static import address as static_address
from hub.api.keys import HUB
from hub.api.routes import PUBLIC, TIMEOUT, Handler, Routes
from hub.audit.model import Actor
from hub.config import Locale
from hub.contacts import masking
from hub.content.formats import Formats, formats
from hub.errors import HubError, NotAllowed, NotFound
from hub.operators.model import Operator, Right, Session
from hub.operators.queries import actor_of
from hub.resources import Hub
from hub.shops.registry import Shop

_FRAMED = (
    "default-src 'none'; img-src data: https: http:; style-src 'unsafe-inline'; font-src data: https:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups"
    " allow-popups-to-escape-sandbox"
)

_OF_THE_FRAME = ("part", "said", "kind")

_FORM_KEY = web.RequestKey("console_form", Form)
SERVED: Final[web.AppKey[frozenset[str]]] = web.AppKey("console_served", frozenset)
"""Paths below a shop that there are."""


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in, to a page of a shop that he may enter."""

    request: web.Request
    hub: Hub
    shop: Shop
    operator: Operator
    session: Session
    module: str

    @property
    def locale(self) -> Locale:
        return self.operator.locale

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """The words of the module, with those that all share."""
        return rendering.words(self.module, self.locale)

    @cached_property
    def formats(self) -> Formats:
        return formats(self.locale, self.operator.timezone or self.shop.settings.timezone)

    @property
    def csrf(self) -> str:
        return self.session.csrf

    @cached_property
    def rights(self) -> frozenset[Right]:
        membership = self.operator.shops.get(self.shop.id)
        return membership.rights if membership else frozenset()

    def may(self, right: Right) -> bool:
        return right in self.rights

    @property
    def actor(self) -> Actor:
        visitor = guard.visitor_of(self.request)
        return actor_of(self.operator, request_id=visitor.request_id, remote=visitor.remote)

    @cached_property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def path(self) -> str:
        """Below the shop, of the page that is shown: `/messages/…`."""
        raw = self.request.rel_url.raw_path
        return raw.removeprefix(f"/console/{self.shop.slug}") or "/"

    def url(self, path: str, /, **query: Any) -> str:
        """A page of this shop: `visit.url("/messages", q="…")`. What is None or empty is left out of the query."""
        return _url(f"{guard.base_of(self.request)}/console/{self.shop.slug}{path}", query)

    def here(self, /, **query: Any) -> str:
        """This page with its query, changed by `query`; None takes something out."""
        asked = self.request.query
        given = {key: asked.getall(key) for key in asked if key not in _OF_THE_FRAME}
        return self.url(self.path, **(given | query))

    @property
    def is_part(self) -> bool:
        """Asked for by htmx: not a whole page."""
        headers = self.request.headers
        whole = "HX-Boosted" in headers or "HX-History-Restore-Request" in headers
        return "HX-Request" in headers and not whole


def _url(path: str, query: Mapping[str, Any]) -> str:
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]


class Pages:
    """The pages of one module. `name`: of its folder in `templates/console`, where its words are as well.

    Paths are below the shop: `/messages/{id}`. Nobody gets to a handler who is not signed in, has not the right, or
    sends a form that no page of ours has made for him.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.routes = Routes("Console")

    def get(self, path: str, *, right: Right = Right.VIEW) -> Callable[[PageHandler], PageHandler]:
        return self._add("GET", path, right)

    def post(
        self, path: str, *, right: Right, timeout: timedelta = TIMEOUT
    ) -> Callable[[PageHandler], PageHandler]:
        """`timeout`: longer where somebody else is asked meanwhile."""
        return self._add("POST", path, right, timeout)

    def _add(
        self, method: str, path: str, right: Right, timeout: timedelta = TIMEOUT
    ) -> Callable[[PageHandler], PageHandler]:
        add = self.routes.get if method == "GET" else self.routes.post

        def register(handler: PageHandler) -> PageHandler:
            add(
                f"/console/{{shop}}{path}",
                name=f"console.{self.name}.{handler.__name__}",
                scope=PUBLIC,
                summary=f"The console: {self.name}",
                answers={HTTPStatus.OK: "text/html"},
                documented=False,
                tell=oops,
                timeout=timeout,
            )(self._guarded(handler, right))
            return handler

        return register

    def _guarded(self, handler: PageHandler, right: Right) -> Handler:
        @wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            found = await guard.who(request)
            if found is None:
                return guard.to_sign_in(request)
            visit = visit_of(request, *found, self.name, request.match_info["shop"])
            if visit is None:
                return nowhere_to_go(request, found[0])
            try:
                await _check(visit, right)
                return await handler(visit)
            except HubError as error:
                return failed(visit, error)

        return guarded


async def _check(visit: Visit, right: Right) -> None:
    request = visit.request
    if visit.shop.slug != request.match_info["shop"]:
        raise NotFound
    if request.method == "POST":
        guard.check_origin(request, needed=False)
        form = await guard.read(request)
        guard.check_csrf(request, visit.session, form)
        request[_FORM_KEY] = form
    if not visit.may(right):
        raise NotAllowed(visit.said["failed"]["no_right"])


def visit_of(
    request: web.Request, operator: Operator, session: Session, module: str, slug: str = ""
) -> Visit | None:
    """In the shop `slug`; in the first of his where that is none of his, and a page can only say so. None: he has no
    shop at all."""
    hub = request.app[HUB]
    own = [hub.shops[id_] for id_ in sorted(operator.shops) if id_ in hub.shops]
    if not own:
        return None
    shop = next((shop for shop in own if shop.slug == slug), own[0])
    return Visit(request, hub, shop, operator, session, module)


async def form(visit: Visit) -> Form:
    """Of a POST; it was checked before the handler was called."""
    return visit.request[_FORM_KEY]


def show(
    visit: Visit,
    template: str,
    *,
    status: int = HTTPStatus.OK,
    title: str = "",
    **values: Any,
) -> web.Response:
    """The whole page; for htmx only its block `main`, or the one that `?part=` names. `template`: in the module's
    folder, unless it names another one."""
    name = template if "/" in template or template.startswith("_") else f"{visit.module}/{template}"
    block = ""
    if visit.is_part:
        block = visit.request.query.get("part", "main")
        if not rendering.has_block(name, block):
            block = "main"
    text = rendering.render(name, _values(visit, title) | values, block=block)
    return web.Response(
        status=status, text=text, content_type="text/html", charset="utf-8", headers=HEADERS
    )


def worded(visit: Visit, faults: Mapping[str, str] | None) -> Mapping[str, str]:
    """What is wrong with which field: keys of the words' table `faults` become their texts."""
    return {name: visit.said["faults"][key] for name, key in (faults or {}).items()}


def see(
    visit: Visit, path: str, *, note: str = "", kind: Literal["good", "bad"] = "good", **query: Any
) -> web.Response:
    """To a page of the shop, after a form was dealt with. `note`: of the words' table `notes`, shown there once."""
    more = {"said": note, "kind": "bad" if note and kind == "bad" else ""}
    target = visit.url(path, **query, **more)
    if visit.is_part:
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": target})


def framed(html: str) -> web.Response:
    """A page of somebody else's making (a letter) for an `<iframe sandbox>`: it runs nothing, sends nothing and
    reaches nothing of ours."""
    return web.Response(
        text=html,
        content_type="text/html",
        charset="utf-8",
        headers=HEADERS | {"Content-Security-Policy": _FRAMED, "X-Frame-Options": "SAMEORIGIN"},
    )


def masked(visit: Visit, value: str, kind: str) -> str:
    """An address as this operator may see it: whole, or only as much as tells two of them apart."""
    return value if visit.may(Right.ADDRESSES) or not value else masking.masked(value, kind)


def masked_name(visit: Visit, value: str) -> str:
    """A person's name: whole, or the first letters."""
    if visit.may(Right.ADDRESSES):
        return value
    return " ".join(f"{part[:1]}." for part in value.split())


def masked_id(visit: Visit, value: str) -> str:
    """What the shop calls a person; some shops take the e-mail address or the phone for it."""
    return value if visit.may(Right.ADDRESSES) else masking.masked_id(value)


def failed(visit: Visit, error: HubError) -> web.Response:
    """What a `HubError` says, in the frame."""
    known, detail = told_of(visit.said, error)
    return show(visit, "_failed.html", status=error.status, title=known, error=error, detail=detail)


def _values(visit: Visit, title: str) -> dict[str, Any]:
    base = guard.base_of(visit.request)
    served = visit.request.app[SERVED]
    return {
        "visit": visit,
        "said": visit.said,
        "locale": visit.locale,
        "base": base,
        "static": lambda path: base + static_address(path),
        "theme": visit.operator.theme,
        "title": title,
        "f": visit.formats,
        "csrf": visit.csrf,
        "url": visit.url,
        "menu": offered(visit.rights, served),
        "present": present(visit.path),
        "shops": _shops(visit),
        "note": _note(visit),
        "Right": Right,
    }


def _shops(visit: Visit) -> list[Shop]:
    own = visit.operator.shops
    return [shop for id_, shop in sorted(visit.hub.shops.items()) if id_ in own]


def _note(visit: Visit) -> tuple[str, str] | None:
    """Kind and text of what the last form came to: of the words only, whatever the address says."""
    query = visit.request.query
    text = visit.said.get("notes", {}).get(query.get("said", ""))
    if not isinstance(text, str):
        return None
    return ("bad" if query.get("kind") == "bad" else "good"), text


def first_page(visit: Visit) -> str:
    """Below the shop: what the menu offers first."""
    served = visit.request.app[SERVED]
    menu = offered(visit.rights, served)
    return menu[0].path if menu else "/me"
