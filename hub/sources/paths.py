"""Where in a shop's own JSON a value stands, written as a JMESPath expression."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError

_LONGEST = 500


class Path:
    """`order.items[].sku`, ``fields_values[?handle=='track'].value | [0]``, or a literal: `'text'`, `` `1` ``."""

    def __init__(self, written: str) -> None:
        """Raises `ValueError`, saying where it cannot be read."""
        if not written.strip() or len(written) > _LONGEST:
            raise ValueError(f"must be a path of 1 to {_LONGEST} characters")
        try:
            self._parsed = jmespath.compile(written)
        except JMESPathError as error:
            raise ValueError(f"is not a path: {_words(error)}") from None
        try:
            # Other errors are of functions that miss their values, which are not there yet.
            with suppress(JMESPathTypeError):
                self._parsed.search({})
        except JMESPathError as error:
            raise ValueError(f"is not a path: {_words(error)}") from None

    def get(self, payload: Mapping[str, Any]) -> Any | None:
        """None: there is nothing, or not what a function in the path needs."""
        try:
            return self._parsed.search(payload)
        except JMESPathError:
            return None


@lru_cache(maxsize=2000)
def compile_path(written: str) -> Path:
    """Raises `ValueError`."""
    return Path(written)


def _words(error: JMESPathError) -> str:
    """The first line: below it stands a drawing of the place."""
    return str(error).splitlines()[0][:200]
