"""The hub of the notifications' tests: accounts of every provider."""

from tests.hub.notifications.conftest import providers, settings

__all__ = ["providers", "settings"]
