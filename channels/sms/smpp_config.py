"""Settings of one account at an SMSC."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.base import AccountConfig
from channels.ca_file import CaFile
from channels.duration import DurationOrSeconds, between
from channels.server_url import server_url
from channels.sms.smpp_pdu import Address
from channels.sms.smpp_receipts import Ids
from channels.sms.smpp_status import Kind
from channels.sms.smpp_text import Alphabet, LongText

# One octet of the protocol.
_Octet = Annotated[int, Field(ge=0, le=255)]
# Passwords of more than the specification's 8 characters and logins of more than 15 are common.
_SECRET_LENGTH = 64

_NUMBER = re.compile(r"\+?[0-9]{1,20}")
_NAME = re.compile(r"[ -~]{1,11}")
_LONGEST_SHORT_NUMBER = 6


class SmppConfig(AccountConfig):
    """`base_url`: `smpp://host:port` in place of `host` and `port`. `security = "none"` sends everything in the clear.

    `sender`: a name or a number; empty: the account's own. Its type of number and numbering plan are derived
    where not set. `window`: submits without an answer at once. `timeout`: for one answer.
    `enquire_link`: after so much silence the link is tested.

    `answer_ids` and `receipt_ids`: how message ids are written where a message is taken and in receipts.
    `receipt_for`: the part of a long text whose receipt speaks for the whole.
    `codes`: what is at fault for codes of the SMSC's own. `no_such_number`: `err` of receipts that mean it.
    `timezone`: that of the times in receipts; empty: they are not looked at.
    """

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 2775
    security: Literal["none", "tls"] = "none"
    ca_file: CaFile | None = None
    login: Annotated[str, Field(min_length=1, max_length=_SECRET_LENGTH)]
    password: SecretStr = SecretStr("")
    system_type: Annotated[str, Field(max_length=12)] = ""
    service_type: Annotated[str, Field(max_length=5)] = ""
    bind: Literal["transceiver", "separate"] = "transceiver"
    sender: str = ""
    source_ton: _Octet | None = None
    source_npi: _Octet | None = None
    dest_ton: _Octet = 1
    dest_npi: _Octet = 1
    window: Annotated[int, Field(ge=1, le=1000)] = 10
    timeout: Annotated[
        DurationOrSeconds, between(timedelta(milliseconds=100), timedelta(minutes=5))
    ] = timedelta(seconds=20)
    enquire_link: Annotated[
        DurationOrSeconds, between(timedelta(seconds=1), timedelta(hours=1))
    ] = timedelta(seconds=30)
    long_text: LongText = LongText.UDH
    alphabet: Alphabet = Alphabet.GSM
    validity: Literal["absolute", "relative", "none"] = "absolute"
    answer_ids: Ids = Ids.TEXT
    receipt_ids: Ids = Ids.TEXT
    receipt_for: Literal["first", "last"] = "last"
    codes: Mapping[int, Kind] = Field(default_factory=dict)
    no_such_number: tuple[str, ...] = ()
    timezone: str = ""
    base_url: str = ""

    @field_validator("base_url")
    @classmethod
    def _smpp_url(cls, value: str) -> str:
        return server_url(value, "smpp")

    @field_validator("login", "system_type", "service_type")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable():
            raise ValueError("must be of Latin letters, digits and signs")
        return value

    @field_validator("password")
    @classmethod
    def _plain_secret(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if len(secret) > _SECRET_LENGTH or not secret.isascii() or not (secret + "a").isprintable():
            raise ValueError(f"must be up to {_SECRET_LENGTH} Latin letters, digits and signs")
        return value

    @field_validator("sender")
    @classmethod
    def _number_or_name(cls, value: str) -> str:
        if value and not _NUMBER.fullmatch(value) and not _NAME.fullmatch(value):
            raise ValueError(
                "must be a number of up to 20 digits, or a name of up to 11 Latin letters, digits and signs"
            )
        return value

    @field_validator("codes", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """TOML has no keys but texts, and SMSCs name their codes in both ways: `0x412`, `1042`."""
        if not isinstance(value, Mapping):
            return value
        try:
            return {int(str(code), 0): kind for code, kind in value.items()}
        except ValueError:
            raise ValueError('must have codes like "0x412" or "1042" for keys') from None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            if value:
                ZoneInfo(value)
        except (OSError, ValueError, LookupError):
            raise ValueError("must be a time zone like Europe/Moscow") from None
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.server[0]:
            raise ValueError("host is missing")
        if (self.answer_ids is Ids.TEXT) != (self.receipt_ids is Ids.TEXT):
            raise ValueError("answer_ids and receipt_ids are both text or both numbers")
        return self

    @property
    def server(self) -> tuple[str, int]:
        url = urlsplit(self.base_url)
        return url.hostname or self.host, url.port or self.port

    @property
    def source(self) -> Address:
        ton, npi = _kind_of(self.sender)
        return Address(
            self.sender.removeprefix("+") if _NUMBER.fullmatch(self.sender) else self.sender,
            ton if self.source_ton is None else self.source_ton,
            npi if self.source_npi is None else self.source_npi,
        )


def _kind_of(sender: str) -> tuple[int, int]:
    """Type of number and numbering plan (SMPP 3.4, 5.2.5, 5.2.6)."""
    if not sender:
        return 0, 0
    if not _NUMBER.fullmatch(sender):
        # Alphanumeric.
        return 5, 0
    if len(sender) <= _LONGEST_SHORT_NUMBER:
        # Network specific.
        return 3, 0
    # International, ISDN.
    return 1, 1
