"""A hub with a past."""

import pytest

from hub.resources import Hub
from tests.hub.statistics.past import Past


@pytest.fixture
def past(hub: Hub) -> Past:
    return Past(hub)
