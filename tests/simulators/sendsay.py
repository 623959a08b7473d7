"""Sendsay's JSON API v100: one address for every action, errors within a 200, sessions that expire."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent, Simulator

LOGIN = "romashka"
TOKEN = "18-sendsay-key-1"
SUBLOGIN = "hub"
PASSWORD = "sendsay-password-1"

_AGO = re.compile(r"current - (\d+) days? - (\d+) seconds?")
_SCRIPT = re.compile(r"\[%.*?%\]", re.DOTALL)

# Of `letter`, and of the request beside it.
_LETTER = {"subject", "from.email", "from.name", "reply.email", "reply.name", "message", "draft.id"}


@dataclass
class Delivery:
    """A letter under way, as the statistics show it."""

    email: str
    at: datetime
    result: str = "0"
    status: str = ""


class SendsaySimulator(Simulator):
    """`errors` by address are said of a letter to it, `error` of every call that needs credentials; `state` is that
    of every issue. `base` holds the addresses that an express issue reaches: None for all."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.password = PASSWORD
        self.errors: dict[str, tuple[str, Any]] = {}
        self.error: tuple[str, Any] | None = None
        self.bad_text = ""
        self.senders: dict[str, str] = {"shop@example.com": "confirmed"}
        self.senders_answer: Any = None
        self.base: set[str] | None = None
        self.state: int | str = -1
        self.calls: list[dict[str, Any]] = []
        self.logins = 0
        self.deliveries: list[Delivery] = []
        self._sessions: set[str] = set()
        self._tracks = 100

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/general/api/v100/json/{account}", self._handle)

    def expire(self) -> None:
        """Every session that is open now."""
        self._sessions.clear()

    def ends(self, sent: Sent, result: str, status: str = "") -> None:
        """The statistics learn what became of the letters to this address."""
        for delivery in self.deliveries:
            if delivery.email == sent.to:
                delivery.result, delivery.status = result, status

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
            action = body["action"]
        except (ValueError, TypeError, KeyError):
            return _answer(errors=[{"id": "bad_request"}])
        self.calls.append(body)
        if action == "ping":
            return _answer(ping="pong")
        if action == "login":
            return self._login(request, body)
        if fault := self._unauthenticated(request, body):
            return fault
        if self.error:
            return _failed(*self.error)
        match action:
            case "pong":
                return _answer(account=LOGIN, sublogin=SUBLOGIN)
            case "issue.emailsender.list":
                listed = [{"id": n, "email": email} for n, email in enumerate(self.senders)]
                return _answer(list=listed if self.senders_answer is None else self.senders_answer)
            case "issue.send":
                return self._send(body)
            case "track.get":
                return self._track(body)
            case "stat.uni":
                return self._statistics(body)
        return _failed("error/action/unknown", action)

    def _login(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        given = body.get("login"), body.get("sublogin", ""), body.get("passwd")
        allowed = (LOGIN, SUBLOGIN, self.password), (LOGIN, "", self.password)
        if request.match_info["account"] != LOGIN or given not in allowed:
            return _failed("error/auth/failed", "wrong_credentials")
        self.logins += 1
        session = f"session-{self.logins}"
        self._sessions.add(session)
        return _answer(session=session, login=LOGIN, sublogin=SUBLOGIN)

    def _unauthenticated(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        header = request.headers.get("Authorization", "")
        proofs = [header, body.get("apikey"), body.get("session")]
        if len([proof for proof in proofs if proof]) > 1:
            return _failed("too_many_auth_parameters", None)
        if request.match_info["account"] != LOGIN:
            return _failed("error/auth/failed", "wrong_credentials")
        if header == f"sendsay apikey={self.token}" or body.get("apikey") == self.token:
            return None
        if body.get("session") in self._sessions:
            return None
        return _failed(
            "error/auth/failed", "expired" if body.get("session") else "wrong_credentials"
        )

    def _send(self, body: dict[str, Any]) -> web.Response:
        letter = body.get("letter") or {}
        if fault := self._fault(body, letter):
            return fault
        self._tracks += 1
        for email in self._recipients(body):
            self._take(email, letter, body)
        return _answer(**{"track.id": self._tracks})

    def _fault(self, body: dict[str, Any], letter: dict[str, Any]) -> web.Response | None:
        message = letter.get("message") or {}
        if unknown := set(letter) - _LETTER:
            return _failed("error/letter/unknown", sorted(unknown))
        if body.get("sendwhen") not in ("now", "later", "save", "test"):
            return _failed("error/sendwhen", body.get("sendwhen"))
        if not letter.get("subject") or not (message.get("html") or message.get("text")):
            return _failed("error/letter/empty", {"letter": "no subject or no message"})
        if self.bad_text and self.bad_text in str(message):
            return _failed("error/letter/message", {"at": "message"})
        sender = self.senders.get(letter.get("from.email", ""))
        if sender != "confirmed":
            return _failed(f"error/sender/{sender or 'unknown'}", letter.get("from.email"))
        if body["sendwhen"] == "test":
            return None if body.get("mca") else _failed("error/mca/empty", None)
        if body.get("group") == "personal":
            if "@" not in body.get("email", ""):
                return _failed("error/email/wrong", body.get("email"))
            return _failed(*self.errors[body["email"]]) if body["email"] in self.errors else None
        if body.get("group") == "masssending":
            return None if body.get("users.list") else _failed("error/users.list/empty", None)
        return _failed("error/group/unknown", body.get("group"))

    def _recipients(self, body: dict[str, Any]) -> list[str]:
        if body["sendwhen"] == "test":
            return list(body["mca"])
        if body["group"] == "personal":
            return [body["email"]]
        head, *rows = body["users.list"].split("\n")
        column = head.split(";").index("member.email")
        emails = [row.split(";")[column] for row in rows]
        # Who is not in the base is left out, and nobody is told.
        return [email for email in emails if self.base is None or email in self.base]

    def _take(self, email: str, letter: dict[str, Any], body: dict[str, Any]) -> None:
        def run(text: str) -> str:
            return _SCRIPT.sub("", text)

        self.deliveries.append(Delivery(email, datetime.now(UTC)))
        self.take(
            Sent(
                email,
                run(letter["message"].get("text", "")),
                run(letter["subject"]),
                run(letter["message"].get("html", "")),
                provider_id=str(self._tracks),
                extra={"body": body},
            )
        )

    def _track(self, body: dict[str, Any]) -> web.Response:
        if str(body.get("id")) not in {sent.provider_id for sent in self.sent}:
            return _failed("error/track/notfound", body.get("id"))
        return _answer(obj={"id": body["id"], "status": self.state, "dt": "2026-11-01 10:00:00"})

    def _statistics(self, body: dict[str, Any]) -> web.Response:
        areas = {field.partition(".")[0] for field in body["select"]}
        filters = {each["a"]: each for each in body["filter"]}
        if body.get("result") != "response" or areas != {"deliv"}:
            return _failed("error/stat.uni", body.get("select"))
        email = filters["deliv.member.email"]
        since = filters["deliv.letter.dt"]
        ago = _AGO.fullmatch(since["v"])
        if (email["op"], since["op"]) != ("==", ">=") or not ago:
            return _failed("error/stat.uni/filter", body["filter"])
        after = datetime.now(UTC) - timedelta(days=int(ago[1]), seconds=int(ago[2]))
        rows = [d for d in self.deliveries if d.email == email["v"] and d.at >= after]
        listed = [[_column(d, field) for field in body["select"]] for d in rows]
        return _answer(list=listed[: body.get("first")])


def _column(delivery: Delivery, field: str) -> str:
    return {
        "deliv.member.email": delivery.email,
        "deliv.letter.dt": f"{delivery.at:%Y-%m-%d %H:%M:%S}",
        "deliv.result": delivery.result,
        "deliv.status": delivery.status,
    }[field]


def _failed(id_: str, explain: Any) -> web.Response:
    error = {"id": id_} | ({} if explain is None else {"explain": explain})
    return _answer(errors=[error])


def _answer(**fields: Any) -> web.Response:
    trace = {"request.id": "1", "duration": 0.034268, "_ehid": "21171.8498446027489.1602956764"}
    return web.json_response(fields | trace)
