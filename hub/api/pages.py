"""Pages for people without a key: small, in their language, without JavaScript and cookies."""

import secrets
import tomllib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import hub
from channels.base import Category, Channel
from hub.api.acting import visitor_of
from hub.api.body import LIMIT, read_all
from hub.api.keys import HUB
from hub.api.routes import PUBLIC, Routes
from hub.config import Locale
from hub.contacts import queries
from hub.preferences import unsubscribe
from hub.preferences.unsubscribe import Leaving
from hub.tokens import BadToken

routes = Routes("Pages")

_FOLDER = Path(hub.__file__).parent.parent / "templates" / "pages"
_MOST_FIELDS = 5000

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_BY: Mapping[Locale, Mapping[Channel, str]] = {
    "ru": {
        Channel.EMAIL: "по электронной почте",
        Channel.TELEGRAM: "в Telegram",
        Channel.VK: "во ВКонтакте",
        Channel.MAX: "в MAX",
        Channel.SMS: "по SMS",
        Channel.PUSH: "в push-уведомлениях",
        Channel.VIBER: "в Viber",
        Channel.WHATSAPP: "в WhatsApp",
    },
    "en": {
        Channel.EMAIL: "by e-mail",
        Channel.TELEGRAM: "in Telegram",
        Channel.VK: "on VK",
        Channel.MAX: "in MAX",
        Channel.SMS: "by SMS",
        Channel.PUSH: "as push notifications",
        Channel.VIBER: "in Viber",
        Channel.WHATSAPP: "in WhatsApp",
    },
}

_WHAT: Mapping[Locale, Mapping[Category, str]] = {
    "ru": {
        Category.MARKETING: "новости и предложения",
        Category.TRANSACTIONAL: "сообщения о заказах",
        Category.SECURITY: "сообщения о безопасности",
    },
    "en": {
        Category.MARKETING: "news and offers",
        Category.TRANSACTIONAL: "messages about orders",
        Category.SECURITY: "security messages",
    },
}


@routes.get(
    "/u/{token}",
    name="pages.unsubscribe",
    scope=PUBLIC,
    summary="The unsubscribe page",
    answers={HTTPStatus.OK: "text/html"},
    documented=False,
)
async def ask(request: web.Request) -> web.StreamResponse:
    """One button. Opening the page changes nothing: programs that check mail open every link."""
    leaving = _leaving(request)
    if leaving is None:
        return gone(request)
    return await _unsubscribe_page(request, "unsubscribe", leaving)


@routes.post(
    "/u/{token}",
    name="pages.unsubscribe.done",
    scope=PUBLIC,
    summary="Unsubscribe with one click (RFC 8058)",
    answers={HTTPStatus.OK: "text/html"},
    documented=False,
)
async def done(request: web.Request) -> web.StreamResponse:
    """Mail programs send `List-Unsubscribe=One-Click`, the page's button the same; the token says it all, so
    the body is not looked at."""
    leaving = _leaving(request)
    if leaving is None:
        return gone(request)
    await unsubscribe.leave(request.app[HUB].db, leaving, by=visitor_of(request))
    return await _unsubscribe_page(request, "unsubscribed", leaving)


def render(
    name: str,
    locale: Locale,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    images: bool = False,
    **values: Any,
) -> web.Response:
    """`templates/pages/<name>.<locale>.html`, or `<name>.html` with the words of the language as `said`.

    It runs nothing, loads nothing but pictures where `images` says so, and posts only to us.
    """
    nonce = secrets.token_urlsafe(16)
    template = _ENVIRONMENT.select_template([f"{name}.{locale}.html", f"{name}.html"])
    said = words(locale)
    text = template.render(nonce=nonce, lang=locale, words=said, said=said.get(name, {}), **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    if images:
        # Pictures of goods lie wherever the shop keeps them.
        policy += "; img-src https: http:"
    headers = {"Content-Security-Policy": policy, "X-Robots-Tag": "noindex"}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


@cache
def words(locale: Locale) -> Mapping[str, Any]:
    """What the pages say that are filled in."""
    return tomllib.loads((_FOLDER / f"words.{locale}.toml").read_text(encoding="utf-8"))


def gone(request: web.Request) -> web.Response:
    """For a token that nobody here has made."""
    return render("gone", asked_for(request), status=HTTPStatus.NOT_FOUND)


def asked_for(request: web.Request) -> Locale:
    """The browser's language, where nobody is known."""
    first = request.headers.get("Accept-Language", "ru").strip().lower()
    return "ru" if first.startswith("ru") else "en"


def chosen_locale(request: web.Request, otherwise: Locale) -> Locale:
    """The one the person switched to by the link at the foot of a page."""
    match request.query.get("lang"):
        case "ru":
            return "ru"
        case "en":
            return "en"
        case _:
            return otherwise


async def read_form(request: web.Request) -> Mapping[str, list[str]]:
    """What a page's form was filled in with; empty for anything that no page of ours sends."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        raw = (await read_all(request, LIMIT)).decode()
        return parse_qs(raw, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}


def _leaving(request: web.Request) -> Leaving | None:
    try:
        return unsubscribe.read(request.app[HUB].signer, request.match_info["token"])
    except BadToken:
        return None


async def _unsubscribe_page(request: web.Request, name: str, leaving: Leaving) -> web.Response:
    """In the person's language, else the shop's. Who was erased gets it without the shop's name."""
    hub_ = request.app[HUB]
    shop_id, locale = await queries.shop_and_locale(hub_.db, leaving.contact_id) or (None, None)
    shop = hub_.shops.get(shop_id) if shop_id else None
    locale = locale or (shop.settings.locale if shop else asked_for(request))
    return render(
        name,
        locale,
        shop=shop.name if shop else "",
        by=_BY[locale][leaving.channel],
        what=_WHAT[locale][leaving.category],
        marketing=leaving.category is Category.MARKETING,
    )
