"""Providers of every channel as simulators, and a settings file that names them as a shop's would."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulators.apns import KEY_ID, TEAM_ID, TOPIC, ApnsSimulator, p8
from tests.simulators.fcm import FcmSimulator
from tests.simulators.max import Max
from tests.simulators.rustore import PROJECT, RuStoreSimulator
from tests.simulators.sms_ru import SmsRuSimulator
from tests.simulators.smsc import SmscSimulator
from tests.simulators.smtp import SmtpSimulator
from tests.simulators.telegram import Telegram
from tests.simulators.unisender_go import UnisenderGoSimulator
from tests.simulators.vk import Vk
from tests.simulators.webpush import WebPushSimulator

VAPID = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
CALLBACK_SECRET = "smsc-callback-1"


@dataclass(frozen=True, slots=True)
class Providers:
    telegram: Telegram
    vk: Vk
    max: Max
    unisender_go: UnisenderGoSimulator
    smtp: SmtpSimulator
    smsc: SmscSimulator
    sms_ru: SmsRuSimulator
    fcm: FcmSimulator
    webpush: WebPushSimulator
    apns: ApnsSimulator
    rustore: RuStoreSimulator


@asynccontextmanager
async def providers_running() -> AsyncIterator[Providers]:
    async with AsyncExitStack() as stack:
        yield Providers(
            await stack.enter_async_context(Telegram()),
            await stack.enter_async_context(Vk()),
            await stack.enter_async_context(Max()),
            await stack.enter_async_context(UnisenderGoSimulator()),
            await stack.enter_async_context(SmtpSimulator()),
            await stack.enter_async_context(SmscSimulator()),
            await stack.enter_async_context(SmsRuSimulator()),
            await stack.enter_async_context(FcmSimulator()),
            await stack.enter_async_context(WebPushSimulator()),
            await stack.enter_async_context(ApnsSimulator()),
            await stack.enter_async_context(RuStoreSimulator()),
        )


def settings_file(folder: Path, on: Providers) -> Path:
    """`main` has an account of each of them: e-mail and SMS two each, so that the second takes over. `other`
    has none, so that the sandbox carries all."""
    key = folder / "AuthKey.p8"
    key.write_text(p8())
    path = folder / "vestnik.toml"
    path.write_text(
        f"""
[hub]
public_url = "https://hub.example"
outgoing_allow = ["127.0.0.0/8"]
rate_limit = 0

[shops.main]
name = "Ромашка"
locale = "ru"
timezone = "Europe/Moscow"

[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "{on.telegram.token}"
base_url = "{on.telegram.url}/"

[[shops.main.accounts]]
name = "vk"
channel = "vk"
provider = "community"
token = "{on.vk.token}"
group_id = {on.vk.group_id}
base_url = "{on.vk.api_url}"

[[shops.main.accounts]]
name = "max"
channel = "max"
provider = "bot_api"
token = "{on.max.token}"
base_url = "{on.max.url}"

[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "unisender_go"
token = "{on.unisender_go.token}"
from = "Ромашка <shop@example.com>"
base_url = "{on.unisender_go.base_url}/"

[[shops.main.accounts]]
name = "plain-mail"
channel = "email"
provider = "smtp"
host = "127.0.0.1"
port = {on.smtp.port}
security = "none"
from = "Ромашка <shop@example.com>"

[[shops.main.accounts]]
name = "smsc"
channel = "sms"
provider = "smsc"
token = "{on.smsc.token}"
callback_secret = "{CALLBACK_SECRET}"
base_url = "{on.smsc.url}"

[[shops.main.accounts]]
name = "sms-ru"
channel = "sms"
provider = "sms_ru"
token = "{on.sms_ru.token}"
base_url = "{on.sms_ru.url}"

[[shops.main.accounts]]
name = "fcm"
channel = "push"
provider = "fcm"
credentials = "{on.fcm.credentials(folder)}"
base_url = "{on.fcm.url}"

[[shops.main.accounts]]
name = "web"
channel = "push"
provider = "webpush"
private_key = "{VAPID}"
subject = "mailto:push@example.com"

[[shops.main.accounts]]
name = "ios"
channel = "push"
provider = "apns"
private_key = "{key}"
key_id = "{KEY_ID}"
team_id = "{TEAM_ID}"
topic = "{TOPIC}"
base_url = "{on.apns.url}"

[[shops.main.accounts]]
name = "rustore"
channel = "push"
provider = "rustore"
token = "{on.rustore.token}"
project_id = "{PROJECT}"
base_url = "{on.rustore.url}"

[shops.other]
name = "Лавка"
"""
    )
    return path
