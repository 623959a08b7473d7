"""What a person or a program is told when something cannot be done, and with which HTTP status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input. `pointer` is a JSON Pointer (RFC 6901), empty for the whole body."""

    pointer: str
    detail: str


def pointer(at: str, *parts: str | int) -> str:
    """`at` and the way further down, as a JSON Pointer (RFC 6901)."""
    return at + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class HubError(Exception):
    """Told to the caller as it is: `code` is stable, the text is for people and holds no secret."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "", *, faults: Sequence[Fault] = ()) -> None:
        if not detail:
            detail = "; ".join(f"{f.pointer or 'body'}: {f.detail}" for f in faults) or self.title
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class InvalidInput(HubError):
    """Can be seen from the request alone. `is_partial`: there are more faults than it names."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid-input"
    title = "The request is not valid"

    def __init__(
        self, detail: str = "", *, faults: Sequence[Fault] = (), is_partial: bool = False
    ) -> None:
        super().__init__(detail, faults=faults)
        self.is_partial = is_partial
        if is_partial:
            self.detail += "; there may be more, which were not looked for"


class Unprocessable(HubError):
    """Well-formed, but not possible as things stand."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unprocessable"
    title = "The request cannot be carried out"


class Unauthenticated(HubError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"
    title = "A valid API key is needed"


class NotAllowed(HubError):
    status = HTTPStatus.FORBIDDEN
    code = "not-allowed"
    title = "The API key does not have this scope"


class NotFound(HubError):
    status = HTTPStatus.NOT_FOUND
    code = "not-found"
    title = "There is nothing here"


class Conflict(HubError):
    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "The present state stands in the way"


class TooLarge(HubError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"
    title = "The request is too large"


class UnsupportedMedia(HubError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported-media-type"
    title = "The body must be JSON"


class RetryLater(HubError):
    """`after` goes out as `Retry-After`, rounded up to whole seconds."""

    def __init__(self, detail: str = "", *, after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(detail)
        self.after = after


class LimitExceeded(RetryLater):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate-limited"
    title = "Too many requests"


class Unavailable(RetryLater):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "The service cannot take requests right now"


class Overloaded(RetryLater):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"
    title = "Too much is asked at once"


class DiskLow(RetryLater):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "disk-low"
    title = "There is too little room on the disk to take more work"


class DatabaseFull(RetryLater):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "database-full"
    title = "The database has reached its limit and takes no more work"


class BacklogFull(RetryLater):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "backlog-full"
    title = "Too much waits to be sent to take more work"
