"""A browser without a screen: it keeps cookies, fills in forms and reads what stands on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

_VOID = {"input", "meta", "link", "br", "img", "hr", "path", "rect", "source", "col"}
_UNSEEN = {"script", "style", "title", "head", "template"}


@dataclass
class FormOnPage:
    """`fields`: as a browser would send them untouched; `labels`: of the fields, by their names."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)


class Page:
    """What came back. `text`: what is to be read, with single spaces; `links`: addresses by their texts."""

    def __init__(
        self, status: int, headers: CIMultiDictProxy[str], html: str, url: str = ""
    ) -> None:
        self.status, self.headers, self.html, self.url = status, headers, html, url

    @cached_property
    def _read(self) -> "_Reader":
        """When it is first looked at: reading takes longer than most pages took to be made."""
        # Where a form without an address goes.
        own = self.url.removeprefix("{0.scheme}://{0.netloc}".format(urlsplit(self.url)))
        reader = _Reader(own)
        if self.headers.get("Content-Type", "").startswith("text/html"):
            reader.feed(self.html)
        return reader

    @property
    def links(self) -> Mapping[str, str]:
        return self._read.links

    @property
    def forms(self) -> Sequence[FormOnPage]:
        return self._read.forms

    @property
    def title(self) -> str:
        return self._read.title

    @property
    def tags(self) -> Sequence[tuple[str, Mapping[str, str | None]]]:
        return self._read.tags

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._read.words).split())

    @property
    def path(self) -> str:
        """Where it led to in the end."""
        return urlsplit(self.url).path

    def form(self, action: str = "") -> FormOnPage:
        """The one whose action ends with `action`."""
        return next(f for f in self.forms if urlsplit(f.action).path.endswith(action))

    def with_attribute(self, name: str) -> Sequence[Mapping[str, str | None]]:
        return [given for _, given in self.tags if name in given]


class _Reader(HTMLParser):
    def __init__(self, own: str) -> None:
        super().__init__()
        self._own = own
        self.links: dict[str, str] = {}
        self.forms: list[FormOnPage] = []
        self.title = ""
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self._link: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: tuple[str, list[str]] | None = None
        self._form: FormOnPage | None = None
        self._button: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in _VOID:
            self._open.append(tag)
        name, value = given.get("name") or "", given.get("value") or ""
        match tag:
            case "a":
                self._link = (given.get("href") or "", [])
            case "form":
                self._form = FormOnPage(
                    given.get("action") or self._own, (given.get("method") or "get").lower()
                )
                self.forms.append(self._form)
            case "input" if self._form and name:
                ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
                if ticked:
                    self._form.fields.append((name, value))
            case "select":
                self._select = (name, [])
            case "option" if self._select:
                self._select[1].append((value, "selected" in given))
            case "textarea":
                self._area = (name, [])
            case "button":
                self._button = []

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open and self._open.pop() != tag:
                pass
        match tag:
            case "a" if self._link:
                self.links.setdefault(" ".join(" ".join(self._link[1]).split()), self._link[0])
                self._link = None
            case "form":
                self._form = None
            case "select" if self._select and self._form:
                name, options = self._select
                chosen = next(
                    (v for v, is_it in options if is_it), options[0][0] if options else ""
                )
                self._form.fields.append((name, chosen))
                self._select = None
            case "textarea" if self._area and self._form:
                self._form.fields.append((self._area[0], "".join(self._area[1]).removeprefix("\n")))
                self._area = None
            case "button" if self._button is not None:
                if self._form:
                    self._form.buttons.append(" ".join("".join(self._button).split()))
                self._button = None

    def handle_data(self, data: str) -> None:
        if "title" in self._open:
            self.title += data
        if self._area:
            self._area[1].append(data)
        if self._button is not None:
            self._button.append(data)
        if self._link:
            self._link[1].append(data)
        if not _UNSEEN & set(self._open):
            self.words.append(data)


class Console:
    """`get` and `post` take paths below the shop (`/messages`), or whole ones (`/console/…`)."""

    def __init__(self, url: str, shop: str = "main") -> None:
        self.url, self.shop = url, shop
        self.csrf = ""
        self.headers: dict[str, str] = {"Origin": url}
        jar = aiohttp.CookieJar(unsafe=True)
        self._session = aiohttp.ClientSession(cookie_jar=jar)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    def sign_in_with(self, token: str, csrf: str) -> None:
        """As one who is in already."""
        self.csrf = csrf
        self._session.cookie_jar.update_cookies({"vestnik": token}, URL(self.url))

    def forget_cookies(self) -> None:
        self._session.cookie_jar.clear()

    @property
    def cookies(self) -> Mapping[str, str]:
        return {c.key: c.value for c in self._session.cookie_jar}

    async def get(
        self, path: str, *, part: str = "", htmx: bool = False, follow: bool = True, **query: Any
    ) -> Page:
        """`part`, `htmx`: as htmx asks for a piece of the page."""
        more = query | ({"part": part} if part else {})
        if more:
            path += ("&" if "?" in path else "?") + urlencode(more, doseq=True)
        headers = {"HX-Request": "true"} if part or htmx else {}
        return await self.call("GET", path, headers=headers, follow=follow)

    async def post(
        self, path: str, *, follow: bool = True, htmx: bool = False, **fields: Any
    ) -> Page:
        """Lists as fields are sent several times. The form's secret goes along."""
        pairs = [
            (name, str(one))
            for name, value in ({"csrf": self.csrf} | fields).items()
            for one in (value if isinstance(value, list) else [value])
        ]
        headers = {"HX-Request": "true"} if htmx else {}
        return await self.call("POST", path, urlencode(pairs), headers=headers, follow=follow)

    async def send(self, form: FormOnPage, *, follow: bool = True, **changed: Any) -> Page:
        """A form of a page, with some of its fields filled in differently; None leaves one out."""
        pairs = [(name, value) for name, value in form.fields if name not in changed]
        for name, value in changed.items():
            many = value if isinstance(value, list) else [] if value is None else [value]
            pairs += [(name, str(one)) for one in many]
        if form.method == "get":
            return await self.get(f"{form.action}?{urlencode(pairs)}", follow=follow)
        return await self.call("POST", form.action, urlencode(pairs), follow=follow)

    async def call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Page:
        sent = {"Accept-Language": "en"} | ({} if method == "GET" else self.headers)
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        whole = path if path.startswith("/console") else f"/console/{self.shop}{path}"
        url = urljoin(self.url, whole)
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=body,
            headers={k: v for k, v in sent.items() if v},
            allow_redirects=follow,
        ) as response:
            return Page(response.status, response.headers, await response.text(), str(response.url))
