"""Every case as a parameter of the tests that are for it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from channels.http import ProviderHttp
from tests.contract.cases import (
    PATIENCE,
    Case,
    cases,
    odd_answer,
)
from tests.contract.rig import Rig

CASES = cases()


@pytest.fixture
async def rig(case: Case) -> AsyncIterator[Rig]:
    async with case.simulator() as simulator:
        http = ProviderHttp(timeout=PATIENCE)
        adapter = case.build(simulator, http)
        yield Rig(case, simulator, adapter)
        await adapter.close()
        await http.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`case` alone, or `case` with each of its troubles, throttles or refusals."""
    names = metafunc.fixturenames
    applies = getattr(metafunc.function, "only", None)
    chosen = [case for case in CASES if applies is None or applies(case)]
    if "trouble" in names:
        pairs: list[tuple[Case, Any, str]] = [
            (case, trouble, trouble.name)
            for case in chosen
            for trouble in (*case.troubles, *map(odd_answer, case.odd_answers))
        ]
        _parametrize(metafunc, "trouble", pairs)
    elif "throttle" in names:
        _parametrize(metafunc, "throttle", [(c, t, t.name) for c in chosen for t in c.throttles])
    elif "refusal" in names:
        _parametrize(
            metafunc, "refusal", [(c, r, f"{r.scope}-{r.name}") for c in chosen for r in c.refusals]
        )
    elif "case" in names:
        metafunc.parametrize("case", chosen, ids=str)


def _parametrize(
    metafunc: pytest.Metafunc, name: str, pairs: Sequence[tuple[Case, Any, str]]
) -> None:
    metafunc.parametrize(
        ("case", name),
        [(case, value) for case, value, _ in pairs],
        ids=[f"{case}-{label}" for case, _, label in pairs],
    )
