"""The settings file and the environment: what is read, and what a wrong setting is told."""

from datetime import time
from pathlib import Path

import pytest

from channels.base import Channel
from hub.config import Settings, SettingsError
from hub.settings_file import load

ACCOUNT = """
[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "{token}"
base_url = "{base_url}"
"""


def read(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "vestnik.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ)


def fault(tmp_path: Path, text: str, **environ: str) -> str:
    """The line without the file's name."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, **environ)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix(f"{tmp_path / 'vestnik.toml'}: ")


def test_without_a_file_there_is_one_shop_without_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load(environ={})

    assert list(settings.shops) == ["main"]
    assert settings.shops["main"].accounts == ()
    assert settings.shops["main"].channels.security == (Channel.PUSH, Channel.SMS)
    assert (settings.hub.listen, settings.hub.rate_limit) == ("127.0.0.1:8080", 1000)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = '[hub]\nlisten = "127.0.0.1:1"\nrate_limit = 5\n'

    settings = read(
        tmp_path, text, VESTNIK_LISTEN="127.0.0.1:2", VESTNIK_OUTGOING_ALLOW="10.0.0.0/8"
    )

    assert settings.hub.listen == "127.0.0.1:2"
    assert settings.hub.rate_limit == 5
    assert [str(network) for network in settings.hub.outgoing_allow] == ["10.0.0.0/8"]


def test_a_value_may_stand_in_the_environment(tmp_path: Path) -> None:
    text = ACCOUNT.format(token="env:TG", base_url="http://127.0.0.1:1")

    [account] = read(tmp_path, text, TG="7:secret").shops["main"].accounts

    assert account.config.model_dump()["token"].get_secret_value() == "7:secret"
    assert fault(tmp_path, text) == (
        'shops.main.accounts[0].token = "env:TG": the environment has no variable TG'
    )


@pytest.mark.parametrize(
    ("given", "size"),
    [('"512MiB"', 512 << 20), ('"2 GiB"', 2 << 30), ('"100"', 100), ("0", 0), ('"auto"', -1)],
)
def test_sizes_have_units(tmp_path: Path, given: str, size: int) -> None:
    assert read(tmp_path, f"[hub]\ndisk_reserve = {given}\n").hub.disk_reserve == size
    assert 'must be a size like "512MiB"' in fault(tmp_path, "[hub]\ndatabase_limit = '5 GB'\n")


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_account_whose_variable_is_empty_is_not_set_up(tmp_path: Path, empty: str) -> None:
    text = ACCOUNT.format(token="env:TG", base_url="env:TG_URL")
    limits = 'limits = { shared = "env:TG" }\nreceive = "nonsense"\n'

    [account] = (
        read(tmp_path, text + limits, TG=empty, TG_URL="http://127.0.0.1:1").shops["main"].accounts
    )

    assert (account.name, account.not_set) == ("tg", ("TG",))
    assert read(tmp_path, text, TG="1:a", TG_URL="http://a").shops["main"].accounts[0].not_set == ()


def test_a_variable_that_is_missing_stays_a_fault_and_one_that_is_set_is_checked(
    tmp_path: Path,
) -> None:
    text = ACCOUNT.format(token="env:TG", base_url="http://127.0.0.1:1")

    assert "the environment has no variable TG" in fault(tmp_path, text, OTHER="")
    assert "token" in fault(tmp_path, text, TG="nonsense")
    assert "there is no such setting" in fault(tmp_path, text + 'not_set = ["TG"]\n', TG="1:a")


@pytest.mark.parametrize("line", ["weight = 0", "weight = 1001", 'limits = { shared = "" }'])
def test_wrong_shares_are_told(tmp_path: Path, line: str) -> None:
    text = ACCOUNT.format(token="1:test", base_url="http://127.0.0.1:1")

    assert line.partition(" ")[0] in fault(tmp_path, f"{text}{line}\n")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_base_url_may_end_with_a_slash(tmp_path: Path, slash: str) -> None:
    text = ACCOUNT.format(token="1:test", base_url=f"http://127.0.0.1:1/tg{slash}")

    [account] = read(tmp_path, text).shops["main"].accounts

    assert str(account.config.model_dump()["base_url"]).rstrip("/") == "http://127.0.0.1:1/tg"


def test_quiet_hours_are_read(tmp_path: Path) -> None:
    text = (
        '[shops.main]\nquiet_hours = { from = "22:00", to = "09:00", categories = ["marketing"] }\n'
    )

    quiet = read(tmp_path, text).shops["main"].quiet_hours

    assert quiet is not None
    assert (quiet.start, quiet.end) == (time(22), time(9))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[hub]\nrate = 1\n", "hub.rate: there is no such setting"),
        ("[hub]\nrate_limit = -1\n", "hub.rate_limit = -1: must be at least 0"),
        ('[hub]\nlisten = "here"\n', "hub.listen = 'here': must be HOST:PORT"),
        ('[shops.main]\nlocale = "de"\n', "shops.main.locale = 'de': must be 'ru' or 'en'"),
        ('[shops.main]\ntimezone = "Mars"\n', "shops.main.timezone = 'Mars': must be a time zone"),
        (
            '[shops.main.channels]\nsecurity = ["fax"]\n',
            "shops.main.channels.security[0] = 'fax': must be 'email', 'telegram'",
        ),
        (
            ACCOUNT.format(token="1:test", base_url="ftp://proxy.example"),
            "shops.main.accounts[0].base_url = 'ftp://proxy.example': URL scheme should be 'http'",
        ),
        (
            '[[shops.main.accounts]]\nname = "sms"\nchannel = "sms"\nprovider = "smsc"\n',
            "shops.main.accounts[0]: needs either token, or login and password",
        ),
        ("[hub\n", "not TOML"),
        ("[hub]\nlisten = 8080\n", "hub.listen = 8080: must be text in quotes"),
        ('[hub]\nlisten = ""\n', "hub.listen = '': must not be empty"),
        (
            '[hub]\noutgoing_allow = "10.0.0.0/8"\n',
            "hub.outgoing_allow = '10.0.0.0/8': must be a list",
        ),
        ('[hub]\nbacklog_limit = "5GiB"\n', "hub.backlog_limit = '5GiB': must be a whole number"),
        (
            '[hub]\ndatabase_limit = "auto"\n',
            "hub.database_limit = 'auto': must be a size like \"512MiB\"",
        ),
        (
            '[hub]\ndisk_reserve = "2GB"\n',
            'hub.disk_reserve = \'2GB\': must be a size like "512MiB" or "20GiB" (0: none), or "auto"',
        ),
        ("shops = 1\n", "shops = 1: must be a table"),
        ("[shops.Main]\n", "shops.Main: must be 1 to 63 small letters"),
        (
            '[shops.main]\nquiet_hours = "22-9"\n',
            "shops.main.quiet_hours = '22-9': must be a table",
        ),
        (
            '[shops.main]\nquiet_hours = { from = "22:00" }\n',
            "shops.main.quiet_hours.to: is required",
        ),
        (
            '[shops.main.retention]\nnotifications = "1d"\n',
            "shops.main.retention.notifications = '1d': must be \"7d\" to ",
        ),
        (
            '[[shops.main.replies]]\nwords = ["hours"]\ntext = { de = "Hallo" }\n',
            "shops.main.replies[0].text: must be a text, or one by language",
        ),
        (
            ACCOUNT.format(token="1:test", base_url="http://127.0.0.1:1").replace('"tg"', '"тг"'),
            "shops.main.accounts[0].name = 'тг': must be 1 to 64 letters",
        ),
        (
            '[[shops.main.accounts]]\nname = "mail"\nchannel = "email"\n',
            "shops.main.accounts[0].provider: is required; there is: smtp, ",
        ),
    ],
)
def test_a_wrong_setting_names_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, words: str
) -> None:
    assert fault(tmp_path, text).startswith(words)


def test_a_wrong_value_of_the_environment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    line = fault(tmp_path, "[hub]\nrate_limit = 5\n", VESTNIK_RATE_LIMIT="many")

    assert line.startswith("VESTNIK_RATE_LIMIT: hub.rate_limit = 'many': ")


FCM = """
[[shops.main.accounts]]
name = "app"
channel = "push"
provider = "fcm"
credentials = {credentials}
"""


@pytest.mark.parametrize(
    "text",
    [
        '[hub]\ndatabase_url = "mysql://anna:hunter2@db.example/x"\n',
        '[hub]\nsecret = "hunter2"\n',
        ACCOUNT.format(token="hunter2", base_url="http://127.0.0.1:1"),
        ACCOUNT.format(token="1:test", base_url="ftp://anna:hunter2@proxy.example"),
        ACCOUNT.format(token="1:test", base_url="ftp://proxy.example/?token=hunter2"),
        '[hub]\ndatabase_url = "host=db.example user=anna password=hunter2"\n',
        FCM.format(
            credentials="""'{"private_key": "hunter2", "token_uri": "https://x.example"}'"""
        ),
    ],
)
def test_secrets_are_not_shown(tmp_path: Path, text: str) -> None:
    line = fault(tmp_path, text)

    assert "[hidden]" in line
    assert "hunter2" not in line


SENDER = ACCOUNT.format(token="1:test", base_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[hub]\npasswd = "hunter2"\n', "hub.passwd"),
        ('passwd = "hunter2"\n', "passwd"),
        (f'{SENDER}pass = "hunter2"\n', "shops.main.accounts[0].pass"),
        (f'{SENDER}pass = "env:SECRET"\n', "shops.main.accounts[0].pass"),
    ],
)
def test_of_a_setting_that_there_is_not_no_value_is_shown(
    tmp_path: Path, text: str, key: str
) -> None:
    """A password's key may be misspelt."""
    assert fault(tmp_path, text, SECRET="hunter2") == f"{key}: there is no such setting"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('hub = "env:SECRET"\n', "hub = 'env:SECRET': must be a table"),
        ('[hub]\nlisten = "env:SECRET"\n', "hub.listen = 'env:SECRET': must be HOST:PORT"),
        ('[hub]\noutgoing_allow = ["env:SECRET"]\n', "hub.outgoing_allow[0] = 'env:SECRET': "),
        ('[shops.main]\nlocale = "env:SECRET"\n', "shops.main.locale = 'env:SECRET': "),
        (f'{SENDER}weight = "env:SECRET"\n', "shops.main.accounts[0].weight = 'env:SECRET': "),
        (
            SENDER.replace("telegram", "env:SECRET"),
            "shops.main.accounts[0].channel = 'env:SECRET': must be one of",
        ),
        (
            SENDER.replace("bot_api", "env:SECRET"),
            "shops.main.accounts[0].provider = 'env:SECRET': ",
        ),
        (
            ACCOUNT.format(token="1:test", base_url="env:SECRET"),
            "shops.main.accounts[0].base_url = 'env:SECRET': ",
        ),
        (
            FCM.format(credentials='"env:SECRET"'),
            "shops.main.accounts[0].credentials = 'env:SECRET': ",
        ),
        (
            FCM.format(credentials='"env:KEY_FILE"'),
            "shops.main.accounts[0].credentials = 'env:KEY_FILE': ",
        ),
    ],
)
def test_of_what_comes_from_the_environment_only_the_variable_is_named(
    tmp_path: Path, text: str, words: str
) -> None:
    key_file = '{"private_key": "hunter2", "token_uri": "https://x.example"}'
    line = fault(tmp_path, text, SECRET="hunter2", KEY_FILE=key_file)

    assert line.startswith(words)
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('notifications = "2d"', "shops.main.retention.notifications"),
        ('attempts = "200d"', "shops.main.retention"),
        ('sandbox = "181d"', "shops.main.retention"),
        ('heard = "90"', "shops.main.retention.heard"),
        ('audit = "999999d"', "shops.main.retention.audit"),
        ('letters = "9d"', "shops.main.retention.letters"),
    ],
)
def test_how_long_data_is_kept_is_checked(tmp_path: Path, text: str, said: str) -> None:
    assert fault(tmp_path, f"[shops.main.retention]\n{text}\n").startswith(said)


def test_how_long_data_is_kept(tmp_path: Path) -> None:
    text = '[shops.main.retention]\nnotifications = "365d"\nattempts = "365d"\n[shops.b]\n'

    settings = read(tmp_path, text)

    assert settings.shops["main"].retention.attempts.days == 365
    assert settings.shops["b"].retention.notifications.days == 180
