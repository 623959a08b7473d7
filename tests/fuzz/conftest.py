"""How long the fuzzing takes: a short and repeatable round with all tests, a long one by `make fuzz`."""

import os

from hypothesis import HealthCheck, Phase, settings

from tests.hub.conftest import hub_database

__all__ = ["hub_database"]

_SLOW_IS_FINE = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.large_base_example,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
]

settings.register_profile(
    "short",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5")),
    # Without a number of its own the same examples come at each run, so that nobody's change fails by chance.
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=_SLOW_IS_FINE,
    phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink],
    print_blob=True,
)
settings.load_profile("short")
