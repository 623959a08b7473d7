"""(channel, provider) -> the adapter, imported on first use."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, cast

from channels.base import Adapter, Channel

Device = Literal["token", "subscription"]
"""What a push device is given as: an app's token, or a browser's subscription."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One adapter. `path`: its module and class; `title`: the service as it calls itself; `page`: in
    `docs/providers/`; `per_call`: how many messages one call carries, for people.

    `address`: the kind of address that it writes to, where that is not the channel's usual one (`usual_address`).
    `device`: of push, whose addresses belong to a provider.
    """

    path: str
    title: str
    page: str
    per_call: str = "1"
    address: str = ""
    device: Device = "token"


_ADAPTERS: Mapping[tuple[Channel, str], Provider] = {
    (Channel.TELEGRAM, "bot_api"): Provider(
        "channels.telegram.bot_api:BotApi", "Telegram bot", "telegram"
    ),
    (Channel.VK, "community"): Provider(
        "channels.vk.community:Community", "VK community", "vk", "100 with the same text"
    ),
    (Channel.MAX, "bot_api"): Provider("channels.max.bot_api:BotApi", "MAX bot", "max"),
    (Channel.EMAIL, "smtp"): Provider("channels.email.smtp:Smtp", "SMTP", "smtp"),
    (Channel.EMAIL, "unisender_go"): Provider(
        "channels.email.unisender_go:UnisenderGo", "Unisender Go", "unisender_go", "500"
    ),
    (Channel.EMAIL, "sendsay"): Provider("channels.email.sendsay:Sendsay", "Sendsay", "sendsay"),
    (Channel.EMAIL, "mailchimp_transactional"): Provider(
        "channels.email.mailchimp_transactional:MailchimpTransactional",
        "Mailchimp Transactional (Mandrill)",
        "mailchimp_transactional",
        "10",
    ),
    (Channel.EMAIL, "sendpulse"): Provider(
        "channels.email.sendpulse:SendpulseEmail", "SendPulse", "sendpulse"
    ),
    (Channel.EMAIL, "unisender"): Provider(
        "channels.email.unisender:UnisenderEmail", "Unisender", "unisender"
    ),
    (Channel.SMS, "smsc"): Provider(
        "channels.sms.smsc:Smsc", "SMSC.ru", "smsc", "100 with the same text"
    ),
    (Channel.SMS, "sms_ru"): Provider("channels.sms.sms_ru:SmsRu", "SMS.ru", "sms_ru", "100"),
    (Channel.SMS, "sendpulse"): Provider(
        "channels.sms.sendpulse:SendpulseSms", "SendPulse", "sendpulse", "100 with the same text"
    ),
    (Channel.SMS, "unisender"): Provider(
        "channels.sms.unisender:UnisenderSms", "Unisender", "unisender", "150 with the same text"
    ),
    (Channel.SMS, "smpp"): Provider("channels.sms.smpp:Smpp", "any SMSC (SMPP 3.4)", "smpp"),
    (Channel.PUSH, "fcm"): Provider("channels.push.fcm:Fcm", "Firebase Cloud Messaging", "fcm"),
    (Channel.PUSH, "webpush"): Provider(
        "channels.push.webpush:WebPush", "Web Push", "webpush", device="subscription"
    ),
    (Channel.PUSH, "apns"): Provider("channels.push.apns:Apns", "Apple Push Notification", "apns"),
    (Channel.VIBER, "bot_api"): Provider(
        "channels.viber.bot_api:BotApi",
        "Viber bot",
        "viber",
        "300 with the same text",
        address="viber",
    ),
    (Channel.PUSH, "rustore"): Provider("channels.push.rustore:RuStore", "RuStore", "rustore"),
    (Channel.WHATSAPP, "cloud_api"): Provider(
        "channels.whatsapp.cloud_api:CloudApi", "WhatsApp Cloud API", "whatsapp"
    ),
    (Channel.PUSH, "sendpulse"): Provider(
        "channels.push.sendpulse:SendpulsePush", "SendPulse web push", "sendpulse"
    ),
    (Channel.VIBER, "sendpulse"): Provider(
        "channels.viber.sendpulse:SendpulseViber",
        "SendPulse",
        "sendpulse",
        "1000 with the same text",
    ),
}

_BY_PHONE = frozenset({Channel.SMS, Channel.VIBER, Channel.WHATSAPP})

# Carries any channel and any kind of address; needs no account at anybody.
SANDBOX = "sandbox"


class UnknownProvider(LookupError):
    """No adapter of that name for that channel; the text lists those there are."""


def providers(channel: Channel) -> list[str]:
    """The names that `provider` may have for a channel, sandbox last."""
    return [provider for known, provider in _ADAPTERS if known == channel] + [SANDBOX]


def known() -> list[tuple[Channel, str]]:
    return list(_ADAPTERS)


def usual_address(channel: Channel) -> str:
    """The kind of address that most of a channel's providers write to."""
    return "phone" if channel in _BY_PHONE else str(channel)


def address_kinds(channel: Channel) -> tuple[str, ...]:
    """Every kind of address that some provider of the channel writes to, the usual one first."""
    others = [known.address for (at, _), known in _ADAPTERS.items() if at == channel]
    return tuple(dict.fromkeys([usual_address(channel), *filter(None, others)]))


def described(channel: Channel, provider: str) -> Provider:
    """Raises `UnknownProvider`. The sandbox is not here: it needs the hub's store (see `channels.sandbox`)."""
    try:
        return _ADAPTERS[channel, provider]
    except KeyError:
        choice = ", ".join(providers(channel))
        raise UnknownProvider(
            f"{provider!r} does not carry {channel}; there is: {choice}"
        ) from None


def adapter_class(channel: Channel, provider: str) -> type[Adapter]:
    """Raises `UnknownProvider`."""
    path = described(channel, provider).path
    module, _, name = path.partition(":")
    return cast("type[Adapter]", getattr(import_module(module), name))


def build(channel: Channel, provider: str, config: Any, http: Any) -> Adapter:
    """An adapter for one account; `config` is an instance of the adapter's `Config`."""
    return cast("Adapter", cast("Any", adapter_class(channel, provider))(config, http))
