"""The fields of a provider's call, as SMS services send them: a query or a form."""

from urllib.parse import parse_qsl

from channels.base import BadHook, HookRequest

_MAX_FIELDS = 500


def fields(request: HookRequest) -> dict[str, str]:
    """Query and body together; of a name in both the body's value counts. Raises `BadHook`."""
    try:
        pairs = parse_qsl(
            request.body.decode("utf-8", errors="replace"),
            keep_blank_values=True,
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise BadHook("not a readable form") from None
    return {**request.query, **dict(pairs)}
