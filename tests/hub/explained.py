"""What statements cost: their plans, as PostgreSQL makes them for the very arguments."""

import re
from collections.abc import Collection
from typing import Any


class Explained:
    """Takes the place of a connection: explains what it is asked instead of doing it, and then does it."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self.plans: list[tuple[str, str]] = []

    async def _explain(self, statement: str, arguments: tuple[Any, ...]) -> None:
        if re.match(r"\s*(SELECT|WITH|UPDATE|INSERT|DELETE)", statement):
            rows = await self._db.fetch(f"EXPLAIN {statement}", *arguments)
            self.plans.append((statement, "\n".join(r[0] for r in rows)))

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        await self._explain(statement, arguments)
        return await self._db.fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: Any) -> Any:
        await self._explain(statement, arguments)
        return await self._db.fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        await self._explain(statement, arguments)
        return await self._db.fetchval(statement, *arguments)

    async def execute(self, statement: str, *arguments: Any) -> Any:
        await self._explain(statement, arguments)
        return await self._db.execute(statement, *arguments)

    def read_through(self, tables: Collection[str]) -> list[str]:
        """The statements that read one of these from end to end."""
        return [
            statement
            for statement, plan in self.plans
            if set(re.findall(r"Seq Scan on (\w+)", plan)) & set(tables)
        ]
