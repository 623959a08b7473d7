"""The shop's own ids in paths."""

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from hub.api.body import path_text
from hub.contacts.model import ExternalId
from hub.errors import Fault, InvalidInput
from hub.wording import wording

_EXTERNAL_ID: TypeAdapter[str] = TypeAdapter(ExternalId)


def path_external_id(request: web.Request) -> str:
    """Raises `InvalidInput` for what nothing can be called."""
    value = path_text(request, "external_id")
    try:
        return _EXTERNAL_ID.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(faults=[Fault("/external_id", wording(error.errors()[0]))]) from None
