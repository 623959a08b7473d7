"""The console's own files: each under an address that changes with its content, so that browsers keep them."""

import hashlib
import mimetypes
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

import hub
from hub.api.routes import PUBLIC, Routes
from hub.errors import NotFound

FOLDER: Final = Path(hub.__file__).parent.parent / "templates" / "console" / "static"

routes = Routes("Console")

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


def address(path: str) -> str:
    """`console.css` -> `/console/static/3f2a…/console.css`. Raises `KeyError` for what is not there."""
    digest, _ = _files()[path]
    return f"/console/static/{digest}/{path}"


@routes.get(
    "/console/static/{digest:[0-9a-f]{16}}/{path:.+}",
    name="console.static",
    scope=PUBLIC,
    summary="The console's styles and scripts",
    documented=False,
)
async def static(request: web.Request) -> web.StreamResponse:
    """Of an earlier version's address the present content, but for no longer than the page that asked."""
    path = request.match_info["path"]
    if path not in _files():
        raise NotFound("there is no such file")
    digest, body = _files()[path]
    kept = _FOREVER if digest == request.match_info["digest"] else "no-cache"
    kind = _TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "text/plain"
    charset = "utf-8" if kind.startswith(("text/", "image/svg")) else None
    return web.Response(
        status=HTTPStatus.OK,
        body=body,
        content_type=kind,
        charset=charset,
        headers={"Cache-Control": kept},
    )


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    """Read once: a few hundred KiB."""
    found = {}
    for file in sorted(FOLDER.rglob("*")):
        if file.is_file() and file.suffix != ".md":
            body = file.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:16]
            found[file.relative_to(FOLDER).as_posix()] = (digest, body)
    return found
