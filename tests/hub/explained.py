"""What statements cost: their plans, as PostgreSQL makes them for the very arguments."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any


class Explained:
    """Takes the place of a connection: explains what it is asked instead of doing it, and then does it.

    `measured`: every statement is also done once more on trial, and the pages of tables and indexes that it looked at
    are counted. So the connection must be in a transaction.
    """

    def __init__(self, db: Any, *, measured: bool = False) -> None:
        self._db = db
        self._measured = measured
        self.plans: list[tuple[str, str]] = []
        self.pages: list[tuple[int, str]] = []

    async def _explain(self, statement: str, arguments: tuple[Any, ...]) -> None:
        if re.match(r"\s*(SELECT|WITH|UPDATE|INSERT|DELETE)", statement):
            rows = await self._db.fetch(f"EXPLAIN {statement}", *arguments)
            self.plans.append((statement, "\n".join(r[0] for r in rows)))
            if self._measured:
                self.pages.append((await self._count(statement, arguments), statement))

    async def _count(self, statement: str, arguments: tuple[Any, ...]) -> int:
        trial = self._db.transaction()
        await trial.start()
        try:
            found = await self._db.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", *arguments
            )
        finally:
            await trial.rollback()
        # The hub's connections read JSON by themselves.
        [told] = json.loads(found) if isinstance(found, str) else found
        return _pages(told["Plan"])

    def transaction(self) -> Any:
        return self._db.transaction()

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


def _pages(plan: Mapping[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
