"""Every adapter against a provider that may answer anything: real answers are recorded first, then changed."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from channels.base import Accepted, Adapter, Asks, Edits, HookRequest, Message, Sent
from channels.http import ProviderHttp, Reply
from channels.http2 import Http2
from tests.contract.cases import PATIENCE, Arrange, Case


class Recording(ProviderHttp):
    """Calls the simulator and keeps what it answered."""

    def __init__(self) -> None:
        super().__init__(timeout=PATIENCE)
        self.heard: list[Reply] = []

    async def request(self, method: str, url: str, **options: Any) -> Reply:
        reply = await super().request(method, url, **options)
        self.heard.append(reply)
        return reply

    def taken(self) -> list[Reply]:
        """What came since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def http2(self) -> Http2:
        return _Recording2(self)


class _Recording2(Http2):
    def __init__(self, recording: Recording) -> None:
        super().__init__(PATIENCE)
        self._recording = recording

    async def post(self, url: str, **options: Any) -> Reply:
        reply = await super().post(url, **options)
        self._recording.heard.append(reply)
        return reply


class Answering(ProviderHttp):
    """Nobody is called: what was drawn comes back, one reply a call, the last one ever after."""

    def __init__(self, answers: Sequence[Reply]) -> None:
        # Nothing of the real one: it would open connections' pools for nothing.
        self._answers = list(answers)
        self.calls = 0

    async def request(self, method: str, url: str, **options: Any) -> Reply:
        return self.next()

    def http2(self) -> Http2:
        return _Answering2(self)

    async def close(self) -> None:
        pass

    def next(self) -> Reply:
        self.calls += 1
        assert self.calls < 200, "it calls the provider for ever"
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class _Answering2(Http2):
    def __init__(self, answering: Answering) -> None:
        super().__init__(PATIENCE)
        self._answering = answering

    async def post(self, url: str, **options: Any) -> Reply:
        return self._answering.next()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one provider's simulator answered, and the calls that it makes; the simulator is gone."""

    sending: Sequence[Reply]
    checking: Sequence[Reply]
    asking: Sequence[Reply]
    editing: Sequence[Reply]
    odd: Sequence[Reply]
    """Refusals and pleas for patience, of whatever call."""
    sent: Sequence[Sent]
    calls: Sequence[HookRequest]

    @property
    def every(self) -> Sequence[Reply]:
        return [*self.sending, *self.checking, *self.asking, *self.editing, *self.odd]


@dataclass(frozen=True, slots=True)
class Rig:
    """`adapter(answers)`: a new one, whose provider answers so. It is built against a simulator of which nothing
    but the address is used."""

    case: Case
    heard: Heard
    simulator: Any

    def adapter(self, answers: Sequence[Reply]) -> tuple[Adapter, Answering]:
        http = Answering(answers)
        return self.case.build(self.simulator, http), http

    def leaks(self, text: str) -> list[str]:
        return [secret for secret in self.case.secrets if secret in text]


async def recorded(case: Case) -> Heard:
    """Asks the simulator for everything once."""
    async with case.simulator() as simulator:
        http = Recording()
        adapter = case.build(simulator, http)
        call = adapter.split(case.messages)[0]
        outcomes = await adapter.send(call)
        sending = http.taken()
        await adapter.check()
        checking = http.taken()
        now = datetime.now(UTC)
        sent = [
            Sent(m.key, o.provider_id, m.to, now)
            for m, o in zip(call, outcomes, strict=True)
            if isinstance(o, Accepted)
        ]
        if isinstance(adapter, Asks):
            assert case.asking is not None
            await adapter.ask(sent)
            case.asking.ends(simulator, simulator.sent[0])
            await adapter.ask(sent)
        asking = http.taken()
        if isinstance(adapter, Edits):
            await adapter.edit(sent[0].provider_id, call[0])
        editing = http.taken()
        calls = []
        if case.hook:
            calls += [case.hook.told(simulator, one) for one in simulator.sent]
            calls += [case.hook.heard(simulator)] if case.hook.heard else []
        await adapter.close()
        await http.close()
    odd = [reply for arranged in _arranged(case) for reply in await _odd(case, *arranged)]
    return Heard(sending, checking, asking, editing, odd, sent, calls)


def _arranged(case: Case) -> Iterator[tuple[Arrange, Message]]:
    first = case.messages[0]
    yield from ((refusal.arrange, refusal.message) for refusal in case.refusals)
    yield from ((throttle.arrange, first) for throttle in case.throttles)
    if case.bad_credentials:
        yield case.bad_credentials, first


async def _odd(case: Case, arrange: Arrange, message: Message) -> Sequence[Reply]:
    async with case.simulator() as simulator:
        http = Recording()
        adapter = case.build(simulator, http)
        arrange(simulator)
        await adapter.send(adapter.split([message])[0])
        await adapter.check()
        await adapter.close()
        await http.close()
    return http.taken()


@asynccontextmanager
async def rig(case: Case) -> AsyncIterator[Rig]:
    heard = await recorded(case)
    async with case.simulator() as simulator:
        yield Rig(case, heard, simulator)
