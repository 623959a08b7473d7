"""Notices a server that lives and answers nothing any more: it was stopped, or hangs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic

import structlog

log = structlog.get_logger()

Answers = Callable[[], Awaitable[bool]]
"""Asks once and waits as long as it takes: True for whatever the server says, were it a refusal; False where it said
nothing. Cancelled when nobody waits any more."""

_LONGEST_LOOK = timedelta(seconds=1)
_LOOKS = 20
"""In the time that a server may be silent."""

_QUESTIONS = 4
"""In that time; they wait beside each other, since what became of one alone says little of the server."""


async def falls_silent(answers: Answers, patience: timedelta) -> None:
    """Returns once the server has answered nothing for `patience`.

    A look counts for two at most, so that a silence is made of time in which we ourselves were awake: a machine that
    slept, was paused or is slow as a whole blames nobody. A question is never given up while it may still be answered:
    where each answer takes long, the server works.
    """
    look = min(patience / _LOOKS, _LONGEST_LOOK).total_seconds()
    between = patience.total_seconds() / _QUESTIONS
    waiting: set[asyncio.Future[bool]] = set()
    silent_for, asked_at, looked_at = 0.0, float("-inf"), monotonic()
    try:
        while silent_for <= patience.total_seconds():
            now = monotonic()
            silent_for += min(now - looked_at, 2 * look)
            looked_at = now
            if now - asked_at >= between:
                waiting.add(asyncio.ensure_future(answers()))
                asked_at = now
            await asyncio.sleep(look)
            ended = {question for question in waiting if question.done()}
            waiting -= ended
            # Each is looked at, whatever the first one came to.
            if True in [_has_answer(question) for question in ended]:
                silent_for, looked_at = 0.0, monotonic()
                await _give_up(waiting)
                waiting = set()
    finally:
        await _give_up(waiting)


def _has_answer(question: asyncio.Future[bool]) -> bool:
    if error := question.exception():
        # A fault of ours is no silence of theirs: nobody is ended for it.
        log.error("server.not_asked", error=type(error).__name__)
        return True
    return question.result()


async def _give_up(questions: set[asyncio.Future[bool]]) -> None:
    for question in questions:
        question.cancel()
    await asyncio.gather(*questions, return_exceptions=True)
