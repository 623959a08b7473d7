"""Logs as JSON lines on stderr, with one processor that keeps secrets and addresses out of them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

_HIDDEN = "[hidden]"

# Fields that are never written, whatever they hold.
_SECRET_FIELDS = re.compile(
    r"token|secret|password|passwd|authorization|api_?key|credential|private|cookie|signature"
    r"|address|recipient|phone|email|text|body|subject|html|url|dsn",
    re.IGNORECASE,
)

# What gives a secret or a person away inside other text (exceptions of libraries, mostly).
_SECRET_TEXT = [
    re.compile(r"vst_[A-Za-z0-9]+_[A-Za-z0-9_-]+"),  # our keys
    re.compile(r"whsec_[A-Za-z0-9+/=]+"),
    re.compile(r"\b\d{5,}:[A-Za-z0-9_-]{20,}"),  # Telegram bot tokens
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    re.compile(r"\+\d{9,15}\b"),
    re.compile(r"(?i)\b(bearer|access_token|api_id|apikey|psw)([=:\s]+)[^\s&\"']+"),
]


def redact(value: str) -> str:
    """The text without keys, tokens, passwords, e-mail addresses and phone numbers."""
    for pattern in _SECRET_TEXT:
        value = pattern.sub(_HIDDEN, value)
    return value


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name in ("event", "exception", "stack"):
            event[name] = redact(str(value))
        elif _SECRET_FIELDS.search(name) and value not in (None, "", True, False):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = redact(value)
        elif isinstance(value, dict | list | tuple):
            event[name] = redact(repr(value))
    return event


class _Stderr:
    """Whatever stderr is at the moment of writing: loggers are kept for good, and who runs the hub inside
    another program (tests do) may have put another one there meanwhile."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _redact_event,
]

# One list for good, too: a logger keeps the list of its first use, and what is told to capture logs later
# changes the list of the last set-up.
_PROCESSORS: list[Any] = [*_SHARED, structlog.processors.JSONRenderer(ensure_ascii=False)]


def configure(level: str = "info", *, role: str = "") -> None:
    """Sets up structlog and the standard library's logging for this process, once at its start."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", _Stderr()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries' own chatter (requests served, jobs started) says nothing that ours does not.
    root.setLevel(max(number, logging.WARNING))
    if role:
        structlog.contextvars.bind_contextvars(role=role)
