"""Who acts in a request, as the audit log and the consents know him."""

from aiohttp import web

from hub.api.keys import API_KEY, HUB, REQUEST_ID
from hub.api.remote import address_of
from hub.audit.model import Actor, ActorKind


def actor_of(request: web.Request) -> Actor:
    """On routes with a scope: the key."""
    key = request[API_KEY]
    return Actor(ActorKind.KEY, key.id, key.prefix, request[REQUEST_ID], _remote(request))


def visitor_of(request: web.Request) -> Actor:
    """On pages: whoever has the link."""
    return Actor(ActorKind.PERSON, request_id=request[REQUEST_ID], remote=_remote(request))


def _remote(request: web.Request) -> str:
    return address_of(request, request.app[HUB].settings.hub.trusted_proxies)
