"""A hub to which an add-on may post, and which may call simulators on this machine."""

from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from hub.config import HubSettings, Settings, Shop
from tests.hub.conftest import api, hub, hub_database, key_for, url

__all__ = ["api", "hub", "hub_database", "key_for", "url"]


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-add-ons"),
            public_url="https://hub.example",
            outgoing_allow=(ip_network("127.0.0.0/8"),),
        ),
        shops={"main": Shop(name="Ромашка")},
    )
