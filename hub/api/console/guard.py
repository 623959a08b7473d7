"""Who is there, and whether what he sends came from a page of ours: the cookie, the origin, the form's secret."""

import hmac
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from aiohttp import web

from hub.api.body import LIMIT, read_all
from hub.api.keys import HUB, REQUEST_ID
from hub.api.remote import address_of
from hub.errors import InvalidInput, NotAllowed, UnsupportedMedia
from hub.operators import sessions
from hub.operators.entrance import Visitor
from hub.operators.model import LONGEST, Operator, Session

SECURE: Final = "__Host-vestnik"
PLAIN: Final = "vestnik"
"""Over http, as on the machine itself."""

ENDED: Final = "ended"
"""In the address of the sign-in page: a form was sent after the session was over."""

CSRF_FIELD: Final = "csrf"
_CSRF_HEADER = "X-CSRF-Token"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2000
_LONGEST_PATH = 2000
_VISIBLE = re.compile(r"[!-\[\]-~]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class FromElsewhere(NotAllowed):
    """`said`: of the words' table `failed.details`, for those who read another language."""

    said = "from_elsewhere"


class OutOfDate(NotAllowed):
    said = "out_of_date"


class Form(Mapping[str, str]):
    """What was filled in. `form["name"]`: the last value of that name; `all`: each of them, for boxes to tick."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._last = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def text(self, name: str, *, longest: int = 10_000) -> str:
        """Without spaces around it; empty where it is missing. Raises `InvalidInput`."""
        value = self.get(name, "").strip()
        if len(value) > longest:
            raise InvalidInput(f"{name}: has at most {longest} characters")
        return value


def base_of(request: web.Request) -> str:
    """What the hub's public address has before `/console`; mostly nothing."""
    return urlsplit(request.app[HUB].settings.public_url).path


def visitor_of(request: web.Request) -> Visitor:
    trusted = request.app[HUB].settings.hub.trusted_proxies
    agent = request.headers.get("User-Agent", "")
    return Visitor(address_of(request, trusted), agent, request[REQUEST_ID])


async def who(request: web.Request) -> tuple[Operator, Session] | None:
    """By the cookie. A page that asks for news by itself does not count as use, or it would never be over."""
    token = request.cookies.get(SECURE)
    if token is None and not _is_public(request):
        token = request.cookies.get(PLAIN)
    if not token:
        return None
    by_itself = "HX-Request" in request.headers and request.method == "GET"
    return await sessions.find(request.app[HUB].db, token, is_use=not by_itself)


def let_in(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """The browser's own word, its origin, says whether the way is secure; a proxy in front may hide it."""
    secure = _is_secure(request)
    response.set_cookie(
        SECURE if secure else PLAIN,
        token,
        max_age=int(LONGEST.total_seconds()),
        path="/" if secure else f"{base_of(request)}/console",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


def let_out(request: web.Request, response: web.StreamResponse) -> None:
    """Both, whichever there is."""
    response.del_cookie(SECURE, path="/", secure=True, httponly=True, samesite="Strict")
    path = f"{base_of(request)}/console"
    response.del_cookie(PLAIN, path=path, httponly=True, samesite="Strict")


def local(request: web.Request, path: str | None) -> str:
    """Where to go next: a page of the console, whatever was asked for."""
    home = f"{base_of(request)}/console/"
    # A browser takes a backslash for a slash, leaves out what cannot be seen, and climbs up by dots.
    if not path or len(path) > _LONGEST_PATH or not _VISIBLE.fullmatch(path):
        return home
    way = path.partition("?")[0].partition("#")[0]
    climbs = any(unquote(part) in (".", "..") for part in way.split("/"))
    return home if climbs or "//" in way or not way.startswith(home) else path


def to_sign_in(request: web.Request) -> web.Response:
    """And back afterwards: to the page that was asked for, or on which the form or the part that asks for news stands."""
    base = base_of(request)
    target = f"{base}/console/sign-in"
    asked = _page_of(request)
    query = {}
    if asked != f"{base}/console/" and local(request, asked) == asked:
        query["next"] = asked
    if request.method == "POST":
        query[ENDED] = "1"
    if query:
        target += f"?{urlencode(query, safe='/')}"
    if "HX-Request" in request.headers:
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": target})


def _page_of(request: web.Request) -> str:
    """Path and query of the page that somebody looks at; empty where the browser does not say."""
    by_htmx = "HX-Request" in request.headers
    if request.method == "GET" and not by_htmx:
        return base_of(request) + request.raw_path
    told = request.headers.get("HX-Current-URL" if by_htmx else "Referer", "")
    try:
        page = urlsplit(told)
    except ValueError:
        return ""
    return f"{page.path}?{page.query}" if page.query else page.path


async def read(request: web.Request) -> Form:
    """The body of a form. Raises `UnsupportedMedia`, `InvalidInput`, `TooLarge`."""
    if not request.can_read_body:
        return Form([])
    if request.content_type != _FORM:
        raise UnsupportedMedia("a form of the console was expected")
    try:
        raw = (await read_all(request, LIMIT)).decode()
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidInput("this is not a form of the console") from None
    if any(_CONTROL.search(text) for pair in pairs for text in pair):
        raise InvalidInput("a field holds characters that cannot be seen")
    return Form([(name, value.replace("\r\n", "\n")) for name, value in pairs])


def check_origin(request: web.Request, *, needed: bool) -> None:
    """Whether a page of ours sent it, as the browser says. `needed`: where nothing else would tell. Raises
    `FromElsewhere`."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is None and site is None and needed:
        raise FromElsewhere("the browser does not say which page this form came from")
    if site not in (None, "same-origin", "none"):
        raise FromElsewhere("this form came from another site")
    if origin is not None and origin not in _own(request):
        raise FromElsewhere("this form came from another site")


def check_csrf(request: web.Request, session: Session, form: Form) -> None:
    """Raises `OutOfDate`."""
    given: str = form.get(CSRF_FIELD, "") or request.headers.get(_CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), session.csrf.encode()):
        raise OutOfDate("this form is out of date: open the page again and send it once more")


def _own(request: web.Request) -> set[str]:
    public = urlsplit(request.app[HUB].settings.public_url)
    found = {f"{public.scheme}://{public.netloc}".lower()}
    host = request.headers.get("Host", "").lower()
    return found | {f"http://{host}", f"https://{host}"}


def _is_secure(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    if origin and "://" in origin:
        return origin.lower().startswith("https://")
    return _is_public(request)


def _is_public(request: web.Request) -> bool:
    """It came by the hub's public name, which is https: then no cookie counts that could be had without."""
    public = urlsplit(request.app[HUB].settings.public_url)
    host = request.headers.get("Host", "").lower()
    return public.scheme.lower() == "https" and host == public.netloc.lower()
