"""Imports of a shop's history."""

from hub.api.routes import Routes

routes = Routes("Imports")
