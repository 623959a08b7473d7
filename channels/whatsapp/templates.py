"""The shop's templates at WhatsApp: which one stands for which of the hub's, and how it is filled in."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from channels.base import Message, Refused, Scope

ANY = "*"
"""The mapping for templates that have none of their own, and for messages without a template."""

_WHOLE_TEXT = "text"

Path = Annotated[str, Field(pattern=r"^[^\s.]+(\.[^\s.]+)*$", max_length=200)]


class Template(BaseModel):
    """`name` and `language` as approved (empty: the message's own); `body`: where the values of {{1}}, {{2}} … are
    found, as `order.number`; `text` is the whole rendered message. `button`: of the first button's link, the part
    that varies."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,512}$")]
    language: Annotated[str, Field(pattern=r"^([a-z]{2,3}(_[A-Za-z]{2,4})?)?$")] = ""
    body: tuple[Path, ...] = ()
    button: Path | None = None


def filled(templates: Mapping[str, Template], message: Message) -> dict[str, Any] | Refused:
    """The `template` of a request, or why there is none, in words for those who keep the settings."""
    template = templates.get(message.template) or templates.get(ANY)
    if template is None:
        return _no_template(message)
    paths = (*template.body, *([template.button] if template.button else []))
    values = {path: _value(message, path) for path in paths}
    if missing := [path for path, value in values.items() if not value]:
        return _no_value(message, template, missing)
    body = [_parameter(values[path]) for path in template.body]
    components: list[dict[str, Any]] = [{"type": "body", "parameters": body}] if body else []
    if template.button:
        button = {"type": "button", "sub_type": "url", "index": "0"}
        components.append({**button, "parameters": [_parameter(values[template.button])]})
    language = template.language or message.locale
    named: dict[str, Any] = {"name": template.name, "language": {"code": language}}
    return named | ({"components": components} if components else {})


def _value(message: Message, path: str) -> str:
    """As one line: WhatsApp takes neither line ends nor tabs nor many spaces in a parameter. Empty: there is none,
    and a parameter must not be empty."""
    if path == _WHOLE_TEXT:
        return _one_line(message.text)
    value: Any = message.values
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, Sequence) and not isinstance(value, str) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return ""
    return _one_line(str(value))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _parameter(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _no_template(message: Message) -> Refused:
    if message.template:
        wanted, name = f'"{message.template}" (or "{ANY}", for all)', message.template
    else:
        wanted, name = f'"{ANY}", for messages without a template', ANY
    return Refused(
        Scope.MESSAGE,
        "no-template",
        "the person has not written within 24 hours, so WhatsApp takes an approved template only, and the account "
        f'names none for {wanted}: add [shops.….accounts.templates."{name}"] with the name and the body of one',
    )


def _no_value(message: Message, template: Template, missing: Sequence[str]) -> Refused:
    what = ", ".join(missing)
    of = f' of "{message.template}"' if message.template else ""
    return Refused(
        Scope.MESSAGE,
        "no-value",
        f"the WhatsApp template {template.name} is filled with {what}, which the data{of} does not have: give it in "
        "`data`, or change the account's `templates`",
    )
