"""The settings file and the environment, read once and checked before anything starts."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from channels.base import AccountConfig, Channel
from channels.registry import SANDBOX, UnknownProvider, adapter_class, providers
from hub.config import Account, HubSettings, Settings, SettingsError
from hub.wording import wording

_LISTS = ("outgoing_allow", "trusted_proxies")


def load(
    path: Path | None = None,
    *,
    data: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Reads the file (`path`, else VESTNIK_CONFIG, else ./vestnik.toml if there) and the environment.

    Raises `SettingsError` with one line that names the key, the value and what is allowed.
    """
    raw, source = _read(path, environ)
    data = data or Path(environ.get("VESTNIK_DATA") or ".vestnik")
    written = raw
    raw = _resolved(raw, environ, "")
    hub = raw.setdefault("hub", {})
    if not isinstance(hub, dict):
        raise SettingsError(
            f"{source}: hub{_shown('hub', hub, written.get('hub'))}: must be a table, [hub]"
        )
    for name in HubSettings.model_fields:
        value = environ.get(f"VESTNIK_{name.upper()}")
        if value is not None:
            hub[name] = _listed(value) if name in _LISTS else value
    _check_accounts(raw.get("shops"), written.get("shops"), environ, source)
    if "data" in raw:
        raise SettingsError(
            f"{source}: data: not a setting of the file; use --data or VESTNIK_DATA"
        )
    try:
        return Settings.model_validate(raw | {"data": data.absolute()})
    except ValidationError as error:
        said_by = _said_by(error, environ, source)
        # What a variable of its own said does not come of the file, whatever that names.
        in_file = written if said_by == source else {}
        raise SettingsError(_one_line(error, raw, in_file, said_by)) from None


def _said_by(error: ValidationError, environ: Mapping[str, str], source: str) -> str:
    """Where the wrong value stands: the environment, where it won over the file."""
    match error.errors()[0]["loc"]:
        case ("hub", str(name), *_) if (variable := f"VESTNIK_{name.upper()}") in environ:
            return variable
    return source


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    named = path or (Path(environ["VESTNIK_CONFIG"]) if environ.get("VESTNIK_CONFIG") else None)
    file = named or Path("vestnik.toml")
    if named is None and not file.exists():
        return {}, "environment"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), str(file)
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from None


def _listed(value: str) -> list[str]:
    return [item for item in re.split(r"[\s,]+", value.strip("[] ").replace('"', "")) if item]


def _resolved(value: Any, environ: Mapping[str, str], where: str) -> Any:
    """`env:NAME` becomes what the environment says."""
    if isinstance(value, dict):
        return {k: _resolved(v, environ, f"{where}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolved(v, environ, f"{where}[{i}]") for i, v in enumerate(value)]
    if _is_of_environment(value):
        name = value.removeprefix("env:")
        if name not in environ:
            raise SettingsError(f'{where} = "{value}": the environment has no variable {name}')
        return environ[name]
    return value


def _empty_variables(value: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """Of those that the value names: the ones that are there and say nothing."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _empty_variables(part, environ)
    elif _is_of_environment(value):
        name = value.removeprefix("env:")
        if not environ[name].strip():
            yield name


def _check_accounts(shops: Any, written: Any, environ: Mapping[str, str], source: str) -> None:
    """Puts each account's own keys, checked by its provider's model, under `config`. `written`: as in the file."""
    if not isinstance(shops, dict):
        return
    for slug, shop in shops.items():
        accounts = shop.get("accounts") if isinstance(shop, dict) else None
        if not isinstance(accounts, list):
            continue
        for i, account in enumerate(accounts):
            if isinstance(account, dict):
                where = f"{source}: shops.{slug}.accounts[{i}]"
                accounts[i] = _checked_account(
                    account, written[slug]["accounts"][i], where, environ
                )


_NOT_KEYS = {"config", "not_set"}
_TOLD_IN_ANY_CASE = ("name", "channel", "provider", "enabled", "weight")


def _checked_account(
    account: dict[str, Any], written: dict[str, Any], where: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    not_set = tuple(dict.fromkeys(_empty_variables(written, environ)))
    common = {k: v for k, v in account.items() if k in Account.model_fields.keys() - _NOT_KEYS}
    own = {k: v for k, v in account.items() if k not in common}
    try:
        channel = Channel(str(account.get("channel")))
    except ValueError:
        choice = ", ".join(Channel)
        shown = _shown("channel", account.get("channel"), written.get("channel"))
        raise SettingsError(f"{where}.channel{shown}: must be one of {choice}") from None
    provider = account.get("provider")
    if provider is None:
        there_is = ", ".join(providers(channel))
        raise SettingsError(f"{where}.provider: is required; there is: {there_is}")
    if provider == SANDBOX:
        # `base_url` is a key of every account; the sandbox has nobody to call.
        model: type[AccountConfig] = AccountConfig
        own.pop("base_url", None)
    else:
        try:
            model = adapter_class(channel, str(provider)).Config
        except UnknownProvider as error:
            shown = _shown("provider", provider, written.get("provider"))
            words = _without(str(error), provider, written.get("provider"))
            raise SettingsError(f"{where}.provider{shown}: {words}") from None
    if not_set:
        said = {k: common[k] for k in _TOLD_IN_ANY_CASE if str(common.get(k, "")).strip()}
        return said | {"not_set": not_set}
    try:
        return common | {"config": model.model_validate(own)}
    except ValidationError as error:
        raise SettingsError(_one_line(error, own, written, where, joint=".")) from None


_SECRET_KEYS = re.compile(r"token|secret|password|key|credential", re.IGNORECASE)


def _is_secret(key: str, value: str) -> bool:
    """URLs carry passwords before the `@` and tokens in the query; what is no URL may be `host=... password=...`."""
    return bool(_SECRET_KEYS.search(key)) or (
        key.endswith("_url") and bool(re.search("[@?=]", value))
    )


def _is_of_environment(written: Any) -> bool:
    return isinstance(written, str) and written.startswith("env:")


def _shown(key: str, value: Any, written: Any) -> str:
    """The value as it may be told. `written`: as in the file; what that names of the environment is nobody's to see."""
    if _is_of_environment(written):
        return f" = {written!r}"
    if not isinstance(value, str | int | float | bool):
        return ""
    return " = [hidden]" if _is_secret(key, str(value)) else f" = {value!r}"


def _without(message: str, value: Any, written: Any) -> str:
    """Some words quote what they are about, a path in its shortest form."""
    if _is_of_environment(written) and isinstance(value, str) and value:
        for form in (value, str(Path(value))):
            message = message.replace(form, "[hidden]")
    return message


def _one_line(
    error: ValidationError, raw: Any, written: Any, source: str, joint: str = ": "
) -> str:
    """`written`: what `raw` is in the file."""
    fault = error.errors(include_url=False, include_input=False)[0]
    where, value = "", raw
    for part in fault["loc"]:
        if part == "[key]":
            continue
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
        value, written = _part(value, part), _part(written, part)
    where = where.removeprefix(".")
    if fault["type"] == "extra_forbidden":
        # Nor is it known whether its value is a secret: a password's key may be misspelt.
        return f"{source}{joint if where else ': '}{where}: there is no such setting"
    message = _without(_TABLES.get(fault["type"]) or wording(fault), value, written)
    shown = ""
    if fault["type"] != "missing":
        shown = _shown(where.rpartition(".")[2], value, written)
    # Without a key it concerns the whole that the source names.
    key = f"{joint}{where}" if where else ""
    return f"{source}{key}{shown}: {message}"


# What JSON calls an object.
_TABLES = dict.fromkeys(("dict_type", "mapping_type", "model_type"), "must be a table")


def _part(whole: Any, name: int | str) -> Any:
    """None: it is not there."""
    try:
        return whole[name]
    except (KeyError, IndexError, TypeError):
        return None
