"""One rendering: for whom, and with what."""

from typing import Any, NamedTuple

from hub.content.model import HUB_NAMES, JsonMapping
from hub.content.sandbox import Budget
from hub.content.view import Reader


class Call(NamedTuple):
    """The mappings are JSON as it came in."""

    reader: Reader
    data: JsonMapping
    # Each its own: what is missing is named by which of them it is missing in.
    contact: JsonMapping = {}  # noqa: RUF012 (nobody writes into it)
    shop: JsonMapping = {}  # noqa: RUF012 (nobody writes into it)
    links: JsonMapping = {}  # noqa: RUF012 (nobody writes into it)

    def roots(self) -> dict[str, Any]:
        """The names a template starts from. Null is not given; the hub's own names win over the data's."""
        given = {
            name: value
            for name, value in self.data.items()
            if value is not None and name[:1] != "_"
        }
        given.update(zip(HUB_NAMES, (self.contact, self.shop, self.links), strict=True))
        return given

    def values(self) -> dict[str, Any]:
        """What a shop's own template is run with."""
        return {**self.roots(), "_formats": self.reader.formats, "_budget": Budget()}

    def link(self, name: str) -> str:
        value = self.links.get(name)
        return value if isinstance(value, str) else ""
