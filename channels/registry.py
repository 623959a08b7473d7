"""(channel, provider) -> the adapter, imported on first use."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from channels.base import Adapter, Channel

# Each module has one class named here, with its settings model as `Config`.
_ADAPTERS: Mapping[tuple[Channel, str], str] = {
    (Channel.TELEGRAM, "bot_api"): "channels.telegram.bot_api:BotApi",
    (Channel.VK, "community"): "channels.vk.community:Community",
    (Channel.EMAIL, "smtp"): "channels.email.smtp:Smtp",
    (Channel.EMAIL, "unisender_go"): "channels.email.unisender_go:UnisenderGo",
    (Channel.SMS, "smsc"): "channels.sms.smsc:Smsc",
    (Channel.SMS, "sms_ru"): "channels.sms.sms_ru:SmsRu",
    (Channel.PUSH, "fcm"): "channels.push.fcm:Fcm",
    (Channel.PUSH, "webpush"): "channels.push.webpush:WebPush",
}

# Carries any channel; needs no account at anybody.
SANDBOX = "sandbox"


class UnknownProvider(LookupError):
    """No adapter of that name for that channel; the text lists those there are."""


def providers(channel: Channel) -> list[str]:
    """The names that `provider` may have for a channel, sandbox last."""
    return [provider for known, provider in _ADAPTERS if known == channel] + [SANDBOX]


def known() -> list[tuple[Channel, str]]:
    return list(_ADAPTERS)


def adapter_class(channel: Channel, provider: str) -> type[Adapter]:
    """Raises `UnknownProvider`. The sandbox is not here: it needs the hub's store (see `channels.sandbox`)."""
    try:
        path = _ADAPTERS[channel, provider]
    except KeyError:
        choice = ", ".join(providers(channel))
        raise UnknownProvider(
            f"{provider!r} does not carry {channel}; there is: {choice}"
        ) from None
    module, _, name = path.partition(":")
    return cast("type[Adapter]", getattr(import_module(module), name))


def build(channel: Channel, provider: str, config: Any, http: Any) -> Adapter:
    """An adapter for one account; `config` is an instance of the adapter's `Config`."""
    return cast("Adapter", cast("Any", adapter_class(channel, provider))(config, http))
