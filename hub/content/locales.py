"""Locales as templates are stored under them and looked for by them."""

from functools import lru_cache

from hub.content.formats import parse_locale
from hub.content.model import TemplateFault
from hub.content.render import LANGUAGES


@lru_cache(maxsize=4096)
def locales(locale: str | None, shop_locale: str) -> tuple[str, ...]:
    """Where to look, in order: the reader's locale, the shop's, Russian, English."""
    chain: dict[str, None] = {}
    for name in (locale or "", shop_locale, *LANGUAGES):
        if found := parse_locale(name) if name else None:
            chain[tag(name)] = None
            chain[found.language] = None
    return tuple(chain)


def tag(locale: str) -> str:
    """`en-GB` for `en_gb`: how a locale is stored. Raises `TemplateFault` for what is none."""
    found = parse_locale(locale)
    if found is None:
        raise TemplateFault(f"{locale!r} is not a locale such as ru or en-GB")
    return str(found).replace("_", "-")


def shown_in(locale: str | None, language: str) -> str:
    """Numbers and dates follow the words: a German reader of an English text gets English dates."""
    found = parse_locale(locale) if locale else None
    same = found is not None and found.language == language.partition("-")[0]
    return locale if locale and same else language
