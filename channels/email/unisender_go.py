"""Letters through Unisender Go, up to 500 a call (Web API: godocs.unisender.ru, docs.unione.io)."""

import hashlib
from collections import Counter, deque
from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Channel,
    Check,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    Told,
)
from channels.batches import calls
from channels.email import merging, unisender_go_hook, unisender_go_sender
from channels.email.mime import encoded_words, one_line
from channels.email.sender import MailboxField, OwnMailboxField
from channels.http import NoReply, ProviderHttp, Reply, unclear

_RECIPIENTS = 500
# The documented 10 MB, less what stands around the letters, or once for all of them.
_BYTES = 9_000_000
_ENTRY_BYTES = 400
# From so many equal letters on, or letters of one skeleton, what is the same travels once in a call of its own.
_SHARED = 20
# The simple engine (godocs.unisender.ru/simple-template-engine): of an empty field nothing is shown, so their own
# example says; names have no spaces; `{{name|…}}` and `{{name?…}}` mean more.
_TAGS = merging.Tags("{{", "}}", signs="{}", names="f", empty=True, largest=900_000)
# Of a refused call of many letters: how often it may be cut in two to find the one that is at fault.
_CALLS = 20

_NAMES = ("subject", "text", "html")
_BREAKING = frozenset(',<>@"')

_DUPLICATE_CALL = 1573
_ALL_FAILED = 204
# "Slow down" and troubles of the service (API reference, list of errors).
_RETRIES = frozenset({120, 121, 150, 908})
_ACCOUNT = frozenset(
    {
        *(101, 102, 105, 106, 114),  # keys and rights; 114: registered at another data centre
        *range(122, 131),  # DKIM of the sender's domain
        *(206, 229, 230, 1103, 1574),  # sender's domain not confirmed, or a free mail service
        215,
        *(901, 902, 903, 904, 905, 906),  # day's limit, money, plan
        *(1538, 1539),  # rights to bypass
        1575,
        *(1598, 1599),  # sandbox
    }
)

# False: the address is good, only this letter did not go.
_FAILED: Mapping[str, bool] = {
    "invalid": True,
    "permanent_unavailable": True,
    "complained": True,
    "blocked": True,
    # Of the provider's own list: another account may still write what needs no consent.
    "unsubscribed": False,
    # For about three days: too long to wait with a letter about an order.
    "temporary_unavailable": False,
}


class UnisenderGoConfig(AccountConfig):
    """`token` is the key of the user or of a project, and checks the receipts, too.

    `base_url` must be of the data centre where the account is registered. `skip_unsubscribe` (no footer with
    their link) must have been allowed by the provider.
    """

    token: SecretStr = Field(min_length=1)
    sender: OwnMailboxField = Field(alias="from")
    reply_to: MailboxField | None = None
    base_url: BaseUrl = "https://go1.unisender.ru/ru/transactional/api/v1"
    skip_unsubscribe: bool = False
    track_links: bool = False
    track_read: bool = False


class UnisenderGo:
    Config: ClassVar[type[AccountConfig]] = UnisenderGoConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "unisender_go"
    tells: ClassVar[Tells] = Tells.DELIVERED
    limits: ClassVar[Limits] = Limits()
    deduplicates: ClassVar[timedelta] = timedelta(minutes=1)
    whole_calls: ClassVar[Literal[True]] = True
    merges: ClassVar[Literal[True]] = True

    def __init__(self, config: UnisenderGoConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """By batch, so that a repeat makes the same calls and their idempotency keys meet again."""
        merged = merging.shared(messages, _TAGS, _SHARED)
        messages = [m if m.key in merged else m.whole() for m in messages]
        whole = [message for message in messages if message.key not in merged]
        equal = Counter((message.batch_key, merging.content(message)) for message in whole)
        # Once a message: letters are long, and asked about twice.
        traits = {
            m.key: _traits(m, shared=equal[m.batch_key, merging.content(m)] >= _SHARED)
            for m in whole
        }
        traits |= {m.key: _merged_traits(m, merged[m.key]) for m in messages if m.key in merged}
        return calls(
            messages,
            limit=_RECIPIENTS,
            alike=lambda message: traits[message.key][0],
            weigh=lambda message: traits[message.key][1],
            capacity=_BYTES,
        )

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """One call; more only where a whole call is refused for what may be the fault of one letter in it."""
        outcomes: dict[str, Outcome] = {}
        waiting = deque([list(messages)])
        for _ in range(_CALLS):
            if not waiting:
                break
            batch = waiting.popleft()
            results = await self._call(batch)
            if _blames_one_of_many(results) and len(set(map(merging.content, batch))) > 1:
                middle = len(batch) // 2
                waiting += [batch[:middle], batch[middle:]]
            else:
                outcomes |= {m.key: result for m, result in zip(batch, results, strict=True)}
        unclear_yet = Retry("refused-in-a-batch")
        return [outcomes.get(message.key, unclear_yet) for message in messages]

    async def check(self) -> Check:
        host = urlsplit(self._config.base_url).hostname
        try:
            reply = await self._post("system/info.json", {})
            body = reply.json()
        except NoReply as none:
            return Check(False, f"{host} cannot be used now: {none.outcome.reason}")
        if isinstance(body, dict) and body.get("status") == "success":
            good, sender = await self._sender()
            known = f"{host} answers for user {body.get('user_id')}"
            return Check(good, f"{known}; {sender}" if good else f"{known}, but {sender}")
        match _refused(reply, body):
            case Refused(_, code, reason):
                return Check(False, f"{host} refuses: {code} {reason}")
            case Retry(reason):
                return Check(False, f"{host} cannot be used now: {reason}")
        return Check(False, f"{host} gives an answer that is none")

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return unisender_go_hook.read(request, self._config.token)

    async def _sender(self) -> tuple[bool, str]:
        domain = self._config.sender.domain
        try:
            body = (await self._post("domain/list.json", {"domain": domain})).json()
        except NoReply:
            body = None
        return unisender_go_sender.told(body, domain)

    async def _call(self, messages: Sequence[Message]) -> list[Outcome]:
        try:
            reply = await self._post("email/send.json", {"message": self._payload(messages)})
            body = reply.json()
        except NoReply as none:
            return [none.outcome] * len(messages)
        if reply.status == HTTPStatus.OK and _is_success(body):
            rest: Outcome | None = None
        else:
            rest = _refused(reply, body)
        failed = _failed(body) if rest is None or isinstance(rest, Refused) else {}
        return [
            failed.get(message.to.casefold())
            or rest
            or Accepted(unisender_go_hook.provider_id(body["job_id"], message.key))
            for message in messages
        ]

    async def _post(self, method: str, body: Mapping[str, Any]) -> Reply:
        return await self._http.post(
            f"{self._config.base_url}/{method}",
            headers={
                "X-API-KEY": self._config.token.get_secret_value(),
                "Accept": "application/json",
            },
            json=body,
        )

    def _payload(self, messages: Sequence[Message]) -> dict[str, Any]:
        (subject, text, html), fields = merging.letter(messages, _TAGS, _NAMES)
        each = fields or [{}] * len(messages)
        body = {"plaintext": text}
        if html:
            body["html"] = html
        payload: dict[str, Any] = {
            "recipients": [_recipient(m, own) for m, own in zip(messages, each, strict=True)],
            "from_email": self._config.sender.address,
            "from_name": _display(self._config.sender.name),
            "subject": subject,
            "body": body,
            # `none` leaves {{…}} in a letter as it is.
            "template_engine": "simple" if fields else "none",
            "track_links": int(self._config.track_links),
            "track_read": int(self._config.track_read),
            "skip_unsubscribe": int(self._config.skip_unsubscribe),
            "idempotence_key": _idempotence_key(messages),
        }
        if self._config.reply_to:
            payload["reply_to"] = self._config.reply_to.address
            payload["reply_to_name"] = _display(self._config.reply_to.name)
        return payload


def _traits(message: Message, *, shared: bool) -> tuple[Hashable, int]:
    """With what it may share a call, and the bytes that it adds to one.

    Whether the simple engine looks through values for places again is not documented, so a letter with `{{` of
    its own is not merged with others.
    """
    content = merging.content(message)
    call = message.batch_key, bool(message.html)
    if shared or any("{" in part and "{{" in part for part in content):
        return (*call, content), _ENTRY_BYTES
    return (*call, None), _ENTRY_BYTES + len(orjson.dumps(content))


def _merged_traits(message: Message, merged: merging.Filling) -> tuple[Hashable, int]:
    """As `_traits`, of a letter of which only the fields are sent."""
    own = message.subject, merged.letter.names, merged.values
    return (message.batch_key, merged.skeleton), _ENTRY_BYTES + len(orjson.dumps(own))


def _recipient(message: Message, fields: Mapping[str, str]) -> dict[str, Any]:
    substitutions = dict(fields)
    if name := one_line(message.to_name):
        substitutions["to_name"] = _display(name)
    entry: dict[str, Any] = {"email": message.to, "metadata": {"delivery": message.key}}
    return entry | ({"substitutions": substitutions} if substitutions else {})


def _display(name: str) -> str:
    """Some signs break the letter's To unless encoded (seen by django-anymail)."""
    return name if _BREAKING.isdisjoint(name) else encoded_words(name)


def _idempotence_key(messages: Sequence[Message]) -> str:
    keys = "\n".join(sorted(message.key for message in messages))
    return hashlib.sha256(keys.encode()).hexdigest()


def _is_success(body: Any) -> bool:
    return (
        isinstance(body, dict)
        and body.get("status") == "success"
        and isinstance(body.get("job_id"), str)
        and isinstance(body.get("emails"), list)
        and isinstance(body.get("failed_emails") or {}, dict)
    )


def _failed(body: Any) -> dict[str, Refused]:
    """By address. `duplicate` is no failure: another of the call differs by case only, and that was sent."""
    failed = body.get("failed_emails") if isinstance(body, dict) else None
    if not isinstance(failed, dict):
        return {}
    return {
        address.casefold(): Refused(
            Scope.RECIPIENT,
            str(word),
            f"Unisender Go does not write to this address: {word}",
            suppress=_FAILED.get(str(word), False),
        )
        for address, word in failed.items()
        if word != "duplicate"
    }


def _refused(reply: Reply, body: Any) -> Outcome:
    """What an answer other than success means for every message of the call."""
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, int):
        return unclear(reply)
    if code == _DUPLICATE_CALL:
        # A call with this key was taken within the last minute; its job is not named.
        return Accepted()
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry("throttled", reply.retry_after, throttled=True)
    if code in _RETRIES or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Retry(f"unisender-go-{code}", reply.retry_after)
    text = str(body.get("message") or f"error {code}")[:300]
    if code in _ACCOUNT or reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Refused(Scope.ACCOUNT, str(code), text)
    if code == _ALL_FAILED:
        return Refused(Scope.RECIPIENT, str(code), text, suppress=False)
    return Refused(Scope.MESSAGE, str(code), text)


def _blames_one_of_many(outcomes: Sequence[Outcome]) -> bool:
    return len(outcomes) > 1 and all(
        isinstance(outcome, Refused) and outcome.scope is Scope.MESSAGE for outcome in outcomes
    )
