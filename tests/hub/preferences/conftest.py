"""The fixtures of contacts: preferences are theirs."""

from tests.hub.contacts.conftest import (
    api,
    api_database,
    hub,
    key_for,
    settings,
    telegram,
    url,
    vk,
)

__all__ = ["api", "api_database", "hub", "key_for", "settings", "telegram", "url", "vk"]
