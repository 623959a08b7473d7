"""What the frame puts at a handler's hands: `request.app[HUB]`, `request[SHOP]`, `request[API_KEY]`."""

from aiohttp import web

from hub.resources import Hub
from hub.room import Room
from hub.shops.keys import ApiKey
from hub.shops.registry import Shop

HUB = web.AppKey("hub", Hub)
ROOM = web.AppKey("room", Room)

# The last two are there on routes with a scope.
REQUEST_ID = web.RequestKey("request_id", str)
API_KEY = web.RequestKey("api_key", ApiKey)
SHOP = web.RequestKey("shop", Shop)
