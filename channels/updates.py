"""What messengers tell a bot, as far as it takes to store it: by which id, about which chat. No meaning yet."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update. `event` is the same whenever it is told again; `chat` is empty where it is about none."""

    event: str
    chat: str
    raw: dict[str, Any]

    def __post_init__(self) -> None:
        # They come out of foreign JSON, as `raw` does.
        object.__setattr__(self, "event", storable(self.event)[:_LONGEST])
        object.__setattr__(self, "chat", storable(self.chat)[:_LONGEST])


_LONGEST = 500


_DEEPEST = 100
_LARGEST = 2**63


def storable(value: Any, depth: int = 0) -> Any:
    """The same JSON as PostgreSQL keeps it: without NUL and half surrogates, and with integers beyond 64 bits as
    text. Raises `ValueError` for what no messenger sends: a hundred levels of it."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_LARGEST <= value < _LARGEST else hex(value)
    if isinstance(value, dict):
        return {storable(key): storable(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner, depth + 1) for inner in value]
    return value
