"""What messengers tell a bot, as far as it takes to store it: by which id, about which chat. No meaning yet."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update. `event` is the same whenever it is told again; `chat` is empty where it is about none."""

    event: str
    chat: str
    raw: dict[str, Any]


def storable(value: Any) -> Any:
    """The same JSON without NUL and half surrogates, which PostgreSQL does not keep."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value
