"""What every answer tells the browser, whoever gives it: a handler, the frame, or the connection itself."""

from collections.abc import Callable

from aiohttp import web

HEADERS = {
    "Server": "vestnik",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer; a handler's own header wins. So a page that forgets what it may be kept for is kept nowhere."""

_A_YEAR = 365 * 24 * 3600

Dress = Callable[[web.StreamResponse, str], None]
"""Puts the headers on an answer; the text is the request's id."""


def dress(public_url: str) -> Dress:
    """`public_url`: where it is https, browsers are told to come by nothing else."""
    headers = dict(HEADERS)
    if public_url.lower().startswith("https://"):
        headers["Strict-Transport-Security"] = f"max-age={_A_YEAR}"

    def put(response: web.StreamResponse, request_id: str) -> None:
        if response.prepared:
            return
        response.headers["X-Request-Id"] = request_id
        for name, value in headers.items():
            response.headers.setdefault(name, value)

    return put
