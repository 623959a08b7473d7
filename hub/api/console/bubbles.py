"""A messenger's message as the messenger shows it: of its few tags nothing but these passes into a page of ours."""

from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from markupsafe import Markup

_TAGS = {
    "b": "strong",
    "strong": "strong",
    "i": "em",
    "em": "em",
    "u": "u",
    "ins": "u",
    "s": "s",
    "strike": "s",
    "del": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_SCHEMES = {"http", "https"}


def bubble(html: str) -> Markup:
    """What is not known is left out, its text stays; links open beside the page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Markup("".join([*reader.found, *reader.ends()]))  # noqa: S704 (made of escaped pieces)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.found.append("\n")
        elif tag in _TAGS:
            self._open.append((tag, _TAGS[tag]))
            self.found.append(f"<{_TAGS[tag]}>")
        elif tag == "a" and _is_link(href := dict(attrs).get("href") or ""):
            self._open.append((tag, "a"))
            rest = 'target="_blank" rel="noopener noreferrer"'
            self.found.append(f'<a href="{escape(href, quote=True)}" {rest}>')

    def handle_endtag(self, tag: str) -> None:
        if tag not in [given for given, _ in self._open]:
            return
        while self._open:
            given, shown = self._open.pop()
            self.found.append(f"</{shown}>")
            if given == tag:
                return

    def handle_data(self, data: str) -> None:
        self.found.append(escape(data))

    def ends(self) -> list[str]:
        return [f"</{shown}>" for _, shown in reversed(self._open)]


def _is_link(href: str) -> bool:
    try:
        return urlsplit(href.strip()).scheme.lower() in _SCHEMES
    except ValueError:
        return False
