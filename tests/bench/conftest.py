"""The providers that the benchmark sends to."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bench
from bench.rig import process

ROOT = Path(bench.__file__).parent.parent


@pytest.fixture
async def sink() -> AsyncIterator[str]:
    command = (sys.executable, "-m", "bench.sink")
    with process(*command, cwd=ROOT) as (_, port):
        yield f"http://127.0.0.1:{port}"
