"""Telegram's HTML subset as its server reads it: the plain text, or the words it refuses with."""

import html
import re

_TAGS = frozenset(
    [
        "b",
        "strong",
        "i",
        "em",
        "u",
        "ins",
        "s",
        "strike",
        "del",
        "span",
        "tg-spoiler",
        "a",
        "code",
        "pre",
        "blockquote",
        "tg-emoji",
    ]
)
_TOKEN = re.compile(
    r"<(?P<close>/?)(?P<name>[^\s>/]*)(?P<attributes>[^>]*)>|(?P<lone><)|(?P<text>[^<]+)"
)
_ENTITY = re.compile(r"&(lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


class CannotParse(ValueError):
    """The text is what Telegram says after `can't parse entities: `."""


def plain_text(source: str) -> str:
    """What the reader sees. Raises `CannotParse`."""
    open_tags: list[str] = []
    parts: list[str] = []
    for token in _TOKEN.finditer(source):
        offset = len(source[: token.start()].encode())
        if (text := token["text"]) is not None:
            parts.append(_ENTITY.sub(lambda entity: html.unescape(entity[0]), text))
        elif token["lone"]:
            raise CannotParse(f"Unclosed start tag at byte offset {offset}")
        elif token["close"]:
            _close(open_tags, token["name"].lower(), offset)
        else:
            name = token["name"].lower()
            if name not in _TAGS:
                raise CannotParse(f'Unsupported start tag "{name}" at byte offset {offset}')
            open_tags.append(name)
    if open_tags:
        raise CannotParse(f"Can't find end tag corresponding to start tag {open_tags[-1]!r}")
    return "".join(parts)


def _close(open_tags: list[str], name: str, offset: int) -> None:
    if not open_tags:
        raise CannotParse(f"Unexpected end tag at byte offset {offset}")
    expected = open_tags.pop()
    if name and name != expected:
        raise CannotParse(
            f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"'
        )
