"""Pages without the frame, for those who are not signed in, and how an error is told."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from hub.api.console import guard, rendering
from hub.api.console.static import address as static_address
from hub.api.keys import REQUEST_ID
from hub.config import Locale
from hub.content.formats import formats
from hub.errors import HubError
from hub.operators.model import Operator

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: http:;"
    " connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    # With `no-referrer` browsers would not say from which page a form came.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "Vary": "HX-Request",
}


def bare(
    request: web.Request,
    template: str,
    locale: Locale,
    *,
    status: int = HTTPStatus.OK,
    **values: Any,
) -> web.Response:
    """A page without the frame, for those who are not signed in."""
    base = guard.base_of(request)
    given: dict[str, Any] = {
        "visit": None,
        "said": rendering.words("", locale),
        "locale": locale,
        "base": base,
        "static": lambda path: base + static_address(path),
        "theme": "auto",
        "f": formats(locale, "UTC"),
    }
    text = rendering.render(template, given | values)
    return web.Response(
        status=status, text=text, content_type="text/html", charset="utf-8", headers=HEADERS
    )


def asked_for(request: web.Request) -> Locale:
    """The language of a browser that nobody signed in from; `?lang=` wins."""
    if (chosen := request.query.get("lang")) in ("ru", "en"):
        return "ru" if chosen == "ru" else "en"
    first = request.headers.get("Accept-Language", "ru").strip().lower()
    return "ru" if first.startswith("ru") else "en"


def oops(request: web.Request, error: HubError) -> web.StreamResponse:
    """Where nobody knows any more who asked: without the frame."""
    locale = asked_for(request)
    title, detail = told_of(rendering.words("", locale), error)
    return bare(
        request,
        "_oops.html",
        locale,
        status=error.status,
        title=title,
        detail=detail,
        request_id=request[REQUEST_ID],
    )


def nowhere_to_go(request: web.Request, operator: Operator) -> web.Response:
    """Signed in, and no shop to enter."""
    said = rendering.words("", operator.locale)["failed"]
    return bare(
        request,
        "_oops.html",
        operator.locale,
        status=HTTPStatus.FORBIDDEN,
        title=said["no_shop"],
        detail=said["no_shop_hint"],
        request_id="",
    )


def told_of(said: Mapping[str, Any], error: HubError) -> tuple[str, str]:
    """Its title and its text: in the operator's language where the words have it, else as it is."""
    failed, detail = said["failed"], error.detail
    if detail == error.title:
        detail = failed["details"].get(error.code, "")
    detail = failed["details"].get(getattr(error, "said", ""), detail)
    return failed["titles"].get(error.code, failed["titles"]["internal"]), detail
