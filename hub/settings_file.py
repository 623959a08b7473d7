"""The settings file and the environment, read once and checked before anything starts."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from channels.base import AccountConfig, Channel
from channels.registry import SANDBOX, UnknownProvider, adapter_class
from hub.config import Account, HubSettings, Settings, SettingsError

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
    written = raw.get("shops")
    raw = _resolved(raw, environ, "")
    hub = raw.setdefault("hub", {})
    if not isinstance(hub, dict):
        raise SettingsError(f"{source}: hub = {hub!r}: must be a table, [hub]")
    for name in HubSettings.model_fields:
        value = environ.get(f"VESTNIK_{name.upper()}")
        if value is not None:
            hub[name] = _listed(value) if name in _LISTS else value
    _check_accounts(raw.get("shops"), written, environ, source)
    if "data" in raw:
        raise SettingsError(
            f"{source}: data: not a setting of the file; use --data or VESTNIK_DATA"
        )
    try:
        return Settings.model_validate(raw | {"data": data.absolute()})
    except ValidationError as error:
        raise SettingsError(_one_line(error, raw, _said_by(error, environ, source))) from None


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
    if isinstance(value, str) and value.startswith("env:"):
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
    elif isinstance(value, str) and value.startswith("env:"):
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
                empty = _empty_variables(written[slug]["accounts"][i], environ)
                accounts[i] = _checked_account(account, where, tuple(dict.fromkeys(empty)))


_NOT_KEYS = {"config", "not_set"}
_TOLD_IN_ANY_CASE = ("name", "channel", "provider", "enabled", "weight")


def _checked_account(
    account: dict[str, Any], where: str, not_set: tuple[str, ...]
) -> dict[str, Any]:
    common = {k: v for k, v in account.items() if k in Account.model_fields.keys() - _NOT_KEYS}
    own = {k: v for k, v in account.items() if k not in common}
    try:
        channel = Channel(str(account.get("channel")))
    except ValueError:
        choice = ", ".join(Channel)
        raise SettingsError(
            f"{where}.channel = {account.get('channel')!r}: must be one of {choice}"
        ) from None
    provider = account.get("provider")
    if provider == SANDBOX:
        # `base_url` is a key of every account; the sandbox has nobody to call.
        model: type[AccountConfig] = AccountConfig
        own.pop("base_url", None)
    else:
        try:
            model = adapter_class(channel, str(provider)).Config
        except UnknownProvider as error:
            raise SettingsError(f"{where}.provider = {provider!r}: {error}") from None
    if not_set:
        said = {k: common[k] for k in _TOLD_IN_ANY_CASE if str(common.get(k, "")).strip()}
        return said | {"not_set": not_set}
    try:
        return common | {"config": model.model_validate(own)}
    except ValidationError as error:
        raise SettingsError(_one_line(error, own, where, joint=".")) from None


_SECRET_KEYS = re.compile(r"token|secret|password|key|credential", re.IGNORECASE)


def _is_secret(key: str, value: str) -> bool:
    """URLs carry passwords before the `@` and tokens in the query."""
    return bool(_SECRET_KEYS.search(key)) or (
        key.endswith("_url") and bool(re.search("[@?]", value))
    )


def _one_line(error: ValidationError, raw: Any, source: str, joint: str = ": ") -> str:
    fault = error.errors(include_url=False, include_context=False)[0]
    where, value = "", raw
    for part in fault["loc"]:
        if part == "[key]":
            continue
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
    where = where.removeprefix(".")
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "there is no such setting"
    shown = ""
    if isinstance(value, str | int | float | bool) and fault["type"] != "missing":
        hidden = _is_secret(where.rpartition(".")[2], str(value))
        shown = " = [hidden]" if hidden else f" = {value!r}"
    return f"{source}{joint if where else ': '}{where}{shown}: {message}"
