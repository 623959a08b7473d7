"""The fixtures of contacts: preferences are theirs."""

from tests.hub.contacts.conftest import (
    api,
    hub,
    hub_database,
    key_for,
    max_,
    settings,
    telegram,
    url,
    vk,
)

__all__ = ["api", "hub", "hub_database", "key_for", "max_", "settings", "telegram", "url", "vk"]
