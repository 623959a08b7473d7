"""HTML made fit for Python's parser and for what reads it: whatever was written, that takes time in proportion to its length.

`html.parser` looks for the end of what was begun and not ended anew at each beginning (later releases less so), and
html2text repeats the depth of a list in each of its lines. What they read is therefore made anew: tags that were ended,
entities that are some, and nothing else that looks like markup.
"""

import re
from collections import Counter
from html import unescape

# A start tag as all versions of the parser understand it. Nothing in it is given back, so that what is no tag is seen
# in one go; quotes are left open until the next tag only. Atomic groups and not `(…)*+`, which before Python 3.11.5 (Debian 12
# has 3.11.2) does not find what it should where something in it may be given back (CPython gh-106052).
_START = r"""
    <([a-zA-Z][^\s/<>\x00]*+)
    (?>(?:
        [ \t\n\r\f]++
        | /(?!>)
        | (?<=["' \t\n\r\f/])[^\s/<>=][^\s/<>=]*+
          (?>(?:[ \t\n\r\f]*+=(?!=)[ \t\n\r\f]*+(?:'[^%(but)s']*+'|"[^%(but)s"]*+"|(?!["'])[^\s<>]*+))?)
    )*)
    /?>
"""
_TAG = re.compile(_START % {"but": "<"}, re.VERBOSE)
# With tags in the quotes. That may be looked for far, and so not often where it is in vain.
_TAG_WITH_TAGS = re.compile(_START % {"but": ""}, re.VERBOSE)
_IN_VAIN = 50
# One that versions of the parser read differently, or whose quotes are in disorder, and what is clear in it.
_ODD_TAG = re.compile(r"<([a-zA-Z][^\s/<>=\x00]*+)([^<>]*+)>")
_CLEAR = re.compile(r"""(?<![^\s"'/])([^\s"'/<>=]++)\s*+=++\s*+("[^"]*+"|'[^']*+'|[^\s"'<>=]++)""")
_END_NAME = re.compile(r"</\s*+([a-zA-Z][\w:.-]*+)(?=[\s/>])")
_TAG_ENDS = re.compile(">")
_COMMENT_ENDS = re.compile(r"--\s*+>|--!>")
_SECTION = re.compile(r"<!\[(if|else|endif|temp|cdata|ignore|include|rcdata)\b", re.IGNORECASE)
_SECTION_ENDS = {True: re.compile(r"\]\s*+>"), False: re.compile(r"\]\s*+\]\s*+>")}
_UNREAD_ENDS = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in ("script", "style")}
# Longer numbers than any sign has, which `int` refuses.
_ENTITY = re.compile(
    r"&(?=#(?:[0-9]{1,20}(?![0-9a-fA-F])|[xX][0-9a-fA-F]{1,20}(?![0-9a-fA-F]))|[^#]|$)"
)
_NO_ENTITY = "&amp;"
_LONG_NUMBER = re.compile(r"&#(?=[0-9]{20}|[xX][0-9a-fA-F]{20})")
# Nobody writes so many on purpose, and html2text looks at each of a run once for each before it.
_SPACES = re.compile(r"\s{16,}")
_NEXT = re.compile("[<&]")

# How deep lists and quotations are shown: each line of one has its depth before it.
_NESTED = frozenset({"ul", "ol", "blockquote"})
_DEEPEST = 12
# Tags and entities of a letter that is still read as one. The largest have a tenth of them.
_MOST = 40_000
_BLOCKS = frozenset(
    (
        *("address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section"),
        *("table", "td", "th", "title", "tr", "ul"),
    )
)
# In the place of all that is left out: without it, the white space on both sides would be one long run.
_NOTHING = "<!---->"


class Markup:
    """`text`: as it is to be read. `broken`: something in it was begun and not ended, and is text now, or is a tag of
    which only a part is clear. `tangled`: it is no letter but a heap of tags; then `bare` is all there is to read,
    without them."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._pieces: list[str] = []
        self._bare: list[str] = []
        self._open: Counter[str] = Counter()
        self._in_vain = 0
        self._never: set[re.Pattern[str]] = set()
        self._read = 0
        self._unspaced = True
        self.broken = False
        self._all()
        self.text = "".join(self._pieces)
        self.tangled = self._read > _MOST

    @property
    def bare(self) -> str:
        lines = unescape("".join(self._bare)).split("\n")
        return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))

    def _all(self) -> None:
        html, at = self._html, 0
        while at < len(html):
            found = _NEXT.search(html, at)
            if found is None:
                self._data(html[at:])
                return
            if found.start() > at:
                self._data(html[at : found.start()])
            at = self._entity(found.start()) if found[0] == "&" else self._markup(found.start())
            self._read += 1

    def _data(self, text: str) -> None:
        if self._unspaced:
            text = _SPACES.sub(lambda run: "\n" if "\n" in run[0] else " ", text)
        self._pieces.append(text)
        self._bare.append(text if self._open["pre"] else text.replace("\n", " "))

    def _put(self, piece: str, bare: str = "") -> None:
        self._pieces.append(piece)
        self._bare.append(bare)

    def _entity(self, at: int) -> int:
        made = "&" if _ENTITY.match(self._html, at) else _NO_ENTITY
        self._put(made, made)
        return at + 1

    def _markup(self, at: int) -> int:
        """What begins there, taken over; where the next begins."""
        html, after = self._html, self._html[at + 1 : at + 2]
        if after.isascii() and after.isalpha():
            return self._start(at)
        if after == "/":
            return self._end(at)
        if after == "?":
            return self._until(_TAG_ENDS, at, at)
        if after != "!":
            self._put("<", "&lt;")
            return at + 1
        if html.startswith("<!--", at):
            return self._until(_COMMENT_ENDS, at, at + 4)
        if section := _SECTION.match(html, at):
            conditional = section[1].lower() in ("if", "else", "endif")
            return self._until(_SECTION_ENDS[conditional], at, section.end())
        return self._until(_TAG_ENDS, at, at)

    def _until(self, ends: re.Pattern[str], at: int, after: int) -> int:
        """A comment, or what else is not shown. It parts the text before from that after."""
        end = self._found(ends, after)
        if end < 0:
            return self._text(at)
        self._put(_NOTHING)
        return end

    def _found(self, ends: re.Pattern[str], after: int) -> int:
        """Where that ends; -1: nowhere. What is not there is looked for once."""
        found = None if ends in self._never else ends.search(self._html, after)
        if found is None:
            self._never.add(ends)
            return -1
        return found.end()

    def _text(self, at: int) -> int:
        self.broken = True
        self._put("&lt;", "&lt;")
        return at + 1

    def _end(self, at: int) -> int:
        end = self._found(_TAG_ENDS, at)
        if end < 0:
            return self._text(at)
        if named := _END_NAME.match(self._html, at):
            self._close(named[1])
        else:
            self._put(_NOTHING)
        return end

    def _close(self, written: str) -> None:
        name = written.lower()
        depth = self._open[name]
        if name in _NESTED or name == "pre":
            self._open[name] = max(0, depth - 1) if name != "pre" else 0
            self._unspaced = not self._open["pre"]
        shown = f"</{written}>" if depth <= _DEEPEST else _NOTHING
        self._put(shown, "\n" if name in _BLOCKS else "")

    def _start(self, at: int) -> int:
        found = _TAG.match(self._html, at)
        if found is None and self._in_vain < _IN_VAIN:
            found = _TAG_WITH_TAGS.match(self._html, at)
            self._in_vain += found is None
        if found is None:
            found = _ODD_TAG.match(self._html, at)
            if found is None:
                return self._text(at)
            self.broken = True
            tag = _made_clear(found)
        else:
            tag = found[0]
        name = found[1].lower()
        if name in _UNREAD_ENDS:
            return self._unread(name, found)
        if name in _NESTED:
            self._open[name] += 1
            if self._open[name] > _DEEPEST:
                tag = _NOTHING
        elif name == "pre":
            # One that ends itself is over at once.
            self._open[name] = 0 if tag.endswith("/>") else 1
            self._unspaced = not self._open[name]
        self._put(tag, "\n" if name in _BLOCKS else "")
        return found.end()

    def _unread(self, name: str, start: re.Match[str]) -> int:
        """A script or a style sheet, without what is in it. One that has no end is all that follows."""
        if start[0].endswith("/>"):
            self._put(_NOTHING)
            return start.end()
        end = _UNREAD_ENDS[name].search(self._html, start.end())
        if end is None:
            return len(self._html)
        self._put(f"<{name}></{name}>")
        return end.end()


def _made_clear(tag: re.Match[str]) -> str:
    given = [
        f" {name}={value}" if value[0] in "\"'" else f' {name}="{value}"'
        for name, value in _CLEAR.findall(tag[2])
    ]
    return f"<{tag[1]}{''.join(given)}>"


def shown(html: str) -> str:
    """The signs its entities stand for."""
    return unescape(_LONG_NUMBER.sub("&amp;#", html))
