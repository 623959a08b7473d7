"""What of a source a shop has set up itself: fields, statuses, what may be overwritten."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.config import OrderStatus

Overwrite = Literal["always", "if_empty", "never"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Overwriting(_Part):
    """Which of a contact's fields the platform may write: `name`, `locale`, `addresses.email`, `addresses.phone`,
    `attributes.<name>`."""

    default: Overwrite = "always"
    fields: Mapping[str, Overwrite] = Field(default_factory=dict)

    def of(self, field: str) -> Overwrite:
        return self.fields.get(field, self.default)


class EventPaths(_Part):
    """Of the generic source alone: where a body of the shop's own shape says what it is about. `kind` and `action`
    are words of ours or paths."""

    kind: str
    id: str
    action: str = ""
    happened_at: str = ""
    key: str = ""


class SourceMapping(_Part):
    """`fields`: path of ours → path in the platform's payload, read over what the platform's module reads;
    `statuses`: the platform's words → ours, null: it says nothing; `write_back`: ours → the platform's."""

    fields: Mapping[str, str] = Field(default_factory=dict, max_length=100)
    statuses: Mapping[str, OrderStatus | None] = Field(default_factory=dict, max_length=500)
    write_back: Mapping[OrderStatus, str] = Field(default_factory=dict)
    overwrite: Overwriting = Overwriting()
    tags: tuple[str, ...] = Field((), max_length=50)
    lists: tuple[str, ...] = Field((), max_length=50)
    stock: Literal["ask_first", "as_told"] = "ask_first"
    event: EventPaths | None = None
