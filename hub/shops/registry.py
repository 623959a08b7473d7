"""The shops of the settings file and the numbers they have in the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.config import Settings
from hub.config import Shop as ShopSettings
from hub.db.pool import Db


@dataclass(frozen=True, slots=True)
class Shop:
    """`id` stands in every row of the shop; `slug` is its name in the settings file."""

    id: int
    slug: str
    settings: ShopSettings
    shown: Mapping[str, Any] = field(init=False, compare=False, repr=False)
    """What templates may show of it."""

    def __post_init__(self) -> None:
        settings = self.settings
        shown = {"name": self.name, "locale": settings.locale, "timezone": settings.timezone}
        object.__setattr__(self, "shown", shown)

    @property
    def name(self) -> str:
        return self.settings.name or self.slug


async def register(db: Db, settings: Settings) -> Mapping[int, Shop]:
    """Every shop of the settings by its number; one that is new gets a number."""
    slugs = list(settings.shops)
    # ON CONFLICT would use up a number of the sequence at every start.
    await db.execute(
        """
        INSERT INTO shop (slug)
        SELECT slug FROM unnest($1::text[]) AS slug
         WHERE slug NOT IN (SELECT slug FROM shop)
        ON CONFLICT DO NOTHING
        """,
        slugs,
    )
    rows = await db.fetch("SELECT id, slug FROM shop WHERE slug = ANY($1)", slugs)
    return {r["id"]: Shop(r["id"], r["slug"], settings.shops[r["slug"]]) for r in rows}
