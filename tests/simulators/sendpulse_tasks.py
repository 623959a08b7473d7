"""SendPulse's services that mail to many at once: SMS, Viber, web push."""

import json
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent
from tests.simulators.sendpulse import Said, SendpulseSimulator

SMS_SENDER = "Romashka"
VIBER_SENDER = 4501
WEBSITE = 53
VARIABLE = "vestnik"


class SendpulseTasksSimulator(SendpulseSimulator):
    """`left_out`: numbers (with the plus sign) that no campaign goes to. `states` tells of each message, by its
    provider id, what the service has to say.

    `broken`: tasks of which it cannot tell now. `unlisted`: a campaign's phones are not on file yet.
    `templates`: what Viber approved, all texts if None. `waiting`: the website has just started a campaign.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sms_senders = [
            {"id": 1, "sender": SMS_SENDER, "status": 1, "status_explain": "Active"},
            {"id": 2, "sender": "Slow", "status": 0, "status_explain": "On moderation"},
        ]
        self.viber_senders = [
            {"id": VIBER_SENDER, "name": "Romashka", "status": "verified"},
            {"id": 2, "name": "Slow", "status": "pending"},
        ]
        self.left_out: set[str] = set()
        self.states: dict[str, dict[str, Any]] = {}
        self.broken: set[str] = set()
        self.unlisted = False
        self.templates: set[str] | None = None
        self.waiting = False
        self.site_status = "active"
        self.variables = [VARIABLE]
        self._tasks = 2623084

    def routes(self, app: web.Application) -> None:
        super().routes(app)
        self._route(app, "GET", "/sms/senders", self._sms_senders)
        self._route(app, "POST", "/sms/send", self._sms)
        self._route(app, "GET", "/sms/campaigns/info/{id}", self._sms_info)
        self._route(app, "GET", "/viber/senders", self._viber_senders)
        self._route(app, "POST", "/viber", self._viber)
        self._route(app, "GET", "/viber/task/{id}/recipients", self._viber_info)
        self._route(app, "POST", "/push/tasks", self._push)
        self._route(app, "GET", "/push/tasks/{id}", self._push_info)
        self._route(app, "GET", "/push/websites/info/{id}", self._site)
        self._route(app, "GET", "/push/websites/{id}/variables", self._variables)

    def _next(self) -> int:
        self._tasks += 1
        return self._tasks

    def _of(self, request: web.Request) -> list[Sent]:
        """The messages of a task."""
        task = request.match_info["id"]
        if task in self.broken:
            raise Said(503, 503, "Service unavailable")
        found = [s for s in self.sent if s.provider_id.partition(":")[0] == task]
        if not found:
            raise Said(404, 802, "Campaign not found")
        return found

    async def _sms_senders(self, request: web.Request) -> web.Response:
        return web.json_response(self.sms_senders)

    async def _sms(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls.append(asked)
        sender, phones, text = (asked.get(name) for name in ("sender", "phones", "body"))
        if not sender or len(sender) > 11:
            raise Said(422, 901, "Sender name not specified")
        if not any(s["sender"] == sender and s["status"] == 1 for s in self.sms_senders):
            raise Said(422, 704, "Can't find the sender")
        if not isinstance(phones, list) or not all(str(phone).isdecimal() for phone in phones):
            raise Said(422, 11, "Can't find recipients addresses")
        if not text:
            raise Said(422, 721, "Message empty")
        campaign = self._next()
        good = [str(phone) for phone in phones if f"+{phone}" not in self.left_out]
        if not asked.get("emulate"):
            for phone in good:
                self.take(Sent(f"+{phone}", text, provider_id=f"{campaign}:{phone}", extra=asked))
        counters = {"exceptions": len(phones) - len(good), "sends": len(good)}
        answer = {"result": True, "campaign_id": campaign, "counters": counters}
        return web.json_response(answer)

    async def _sms_info(self, request: web.Request) -> web.Response:
        found = [] if self.unlisted else self._of(request)
        phones = [
            {
                "phone": int(sent.to.removeprefix("+")),
                "status": 0,
                "status_explain": "In queue",
                "country_code": "RU",
                "money_spent": 2.45,
            }
            | self.states.get(sent.provider_id, {})
            for sent in found
        ]
        data = {"id": int(request.match_info["id"]), "currency": "RUR", "task_phones_info": phones}
        return web.json_response({"result": True, "data": data})

    async def _viber_senders(self, request: web.Request) -> web.Response:
        return web.json_response(self.viber_senders)

    async def _viber(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls.append(asked)
        recipients, text = asked.get("recipients"), asked.get("message")
        kind, more = asked.get("message_type"), asked.get("additional") or {}
        if kind not in (2, 3) or asked.get("send_date") != "now" or not asked.get("task_name"):
            raise Said(422, 422, "Parameters are invalid")
        if not any(
            s["id"] == asked.get("sender_id") and s["status"] == "verified"
            for s in self.viber_senders
        ):
            raise Said(422, 1003, "The specified sender doesn't exist")
        if not 60 <= asked.get("message_live_time", 0) <= 86_400:
            raise Said(422, 422, "message_live_time is invalid")
        if not isinstance(recipients, list) or not 0 < len(recipients) <= 1000:
            raise Said(422, 11, "Can't find recipients addresses")
        if not all(type(phone) is int for phone in recipients):
            raise Said(422, 422, "recipients are invalid")
        if not text or len(text) > 1000 or (kind == 3 and more):
            raise Said(422, 422, "message is invalid")
        if "image" in more and "button" not in more:
            raise Said(422, 422, "additional is invalid")
        if kind == 3 and self.templates is not None and text not in self.templates:
            data = {"message": "The text does not match an approved template"}
            return web.json_response({"success": False, "data": data})
        task = self._next()
        for phone in recipients:
            self.take(Sent(f"+{phone}", text, provider_id=f"{task}:{phone}", extra=asked))
        return web.json_response({"success": True, "data": {"task_id": task}})

    async def _viber_info(self, request: web.Request) -> web.Response:
        recipients = [
            {
                "phone": int(sent.to.removeprefix("+")),
                "address_book_id": None,
                "status": "send",
                "send_date": "2026-11-01 10:00:00",
                "price": 0.74,
                "currency": "RUR",
                "last_update": "2026-11-01 10:00:10",
            }
            | self.states.get(sent.provider_id, {})
            for sent in self._of(request)
        ]
        task = int(request.match_info["id"])
        return web.json_response({"task_id": task, "recipients": recipients})

    async def _push(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls.append(asked)
        if asked.get("website_id") != WEBSITE:
            raise Said(403, 403, "Access denied")
        if not all(asked.get(name) for name in ("title", "body", "ttl")) or asked["ttl"] > 86_400:
            raise Said(422, 800, "Invalid operation")
        if self.waiting:
            raise Said(400, 711, "Wait before create new push campaign by this website")
        wanted = asked.get("filter") or {}
        [condition] = wanted["conditions"]
        if wanted.get("operator") not in ("and", "or") or condition.get("condition") != "equal":
            raise Said(422, 800, "Invalid operation")
        if "buttons" in asked and not 0 < len(json.loads(asked["buttons"])) <= 2:
            raise Said(422, 800, "Invalid operation")
        task = self._next()
        value = condition["value"]
        self.take(Sent(value, asked["body"], asked["title"], provider_id=str(task), extra=asked))
        return web.json_response({"result": True, "id": task})

    async def _push_info(self, request: web.Request) -> web.Response:
        [sent] = self._of(request)
        counters: dict[str, Any] = {"id": int(sent.provider_id), "website_id": WEBSITE, "status": 1}
        counters |= {"send": "0", "delivered": 0, "redirect": 0}
        return web.json_response(counters | self.states.get(sent.provider_id, {}))

    async def _site(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != str(WEBSITE):
            raise Said(404, 404, "Website not found")
        site = {"id": WEBSITE, "url": "shop.example", "status": self.site_status}
        return web.json_response(site | {"total_subscribers": 10, "active_subscribers": 9})

    async def _variables(self, request: web.Request) -> web.Response:
        variables = [{"id": i, "name": n, "type": "string"} for i, n in enumerate(self.variables)]
        return web.json_response(variables)
