"""Brings the rows of a file to a running hub, each once, whatever breaks meanwhile."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from time import monotonic
from typing import Any

from hub.history.client import PATIENCE, Away, Client, Refused
from hub.history.screen import Screen
from hub.history.tables import Row

_MOST_ROWS, _MOST_BYTES = 200, 700_000
_UNFIT = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class Sender:
    """Brings the rows of a file to one run, each once, whatever breaks meanwhile: the hub counts them."""

    def __init__(self, client: Client, run: dict[str, Any], screen: Screen) -> None:
        self._client = client
        self._run = run
        self._screen = screen
        self._path = f"/v1/imports/{run['id']}"

    async def send(self, rows: Iterator[Row]) -> dict[str, Any]:
        """The run as it is after the last row, or when somebody stopped it."""
        start: int = self._run["done"]
        for portion in portions(islice(rows, start, None)):
            await self._bring(start, portion)
            start += len(portion)
            if self._run["state"] != "running":
                break
        return self._run

    async def _bring(self, start: int, portion: Sequence[Row]) -> None:
        """`start`: rows of the file before these. The same command may run twice: what the other one has brought is
        passed over."""
        self._tell({start + n: row for n, row in enumerate(portion, 1) if row.fault}, local=True)
        until = monotonic() + PATIENCE.total_seconds()
        while self._run["state"] == "running" and (
            left := portion[max(0, self._run["done"] - start) :]
        ):
            try:
                await self._post(left)
            except Away as away:
                # It may have been taken although the answer was lost: only the hub knows.
                await self._client.wait(away, until)
                self._run = await self._client.patiently("GET", self._path)
            faults = {f["row"]: f["detail"] for f in self._run["faults"]}
            self._tell({start + n: row for n, row in enumerate(portion, 1)}, faults=faults)
            self._screen.show(self._run)

    async def _post(self, rows: Sequence[Row]) -> None:
        body = {"from": self._run["done"], "rows": [row.value for row in rows]}
        try:
            self._run = await self._client.call("POST", f"{self._path}/rows", body)
        except Refused as refused:
            if refused.status_code == HTTPStatus.CONFLICT:
                self._run = await self._client.patiently("GET", self._path)
                if self._run["state"] == "running" and self._run["done"] == body["from"]:
                    raise
            elif refused.status_code not in _UNFIT:
                raise
            elif len(rows) > 1:
                # One of them is what no JSON may be here; the others have nothing to do with it.
                await self._post(rows[: len(rows) // 2])
            else:
                self._screen.say(f"line {rows[0].line}: {refused.detail}")
                await self._post([Row(rows[0].line, None)])

    def _tell(
        self,
        rows: Mapping[int, Row],
        *,
        faults: Mapping[int, str] | None = None,
        local: bool = False,
    ) -> None:
        for number, row in rows.items():
            fault = row.fault if local else "" if row.fault else (faults or {}).get(number, "")
            if fault and number not in self._screen.told:
                self._screen.told.add(number)
                self._screen.say(f"line {row.line}: {fault}")


def portions(rows: Iterator[Row]) -> Iterator[list[Row]]:
    portion: list[Row] = []
    size = 0
    for row in rows:
        its = len(json.dumps(row.value, ensure_ascii=False).encode())
        if portion and (len(portion) == _MOST_ROWS or size + its > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += its
    if portion:
        yield portion
