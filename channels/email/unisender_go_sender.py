"""Whether Unisender Go takes letters in the name of a domain (its method domain/list)."""

from collections.abc import Mapping
from typing import Any

# Given to new accounts for 31 days.
_SANDBOX = "sandbox-"


def told(body: Any, domain: str) -> tuple[bool, str]:
    """Whether letters can go, and what to say of it. What is not told stands in nobody's way."""
    if domain.startswith(_SANDBOX):
        limits = "10 confirmed recipients, 100 letters a day, 31 days"
        return True, f"test mode: {domain} is a sandbox ({limits})"
    listed = body.get("domains") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        return True, f"does not tell whether {domain} is confirmed"
    entry = next((e for e in listed if isinstance(e, dict) and _is(e.get("domain"), domain)), None)
    if entry is None:
        return False, f"{domain} is not among the account's domains: add it there and confirm it"
    # "Only domains with a confirmed verification record and an active DKIM record are allowed as sender domains."
    missing = [
        record
        for record, field, wanted in (
            ("ownership (TXT record)", "verification-record", "confirmed"),
            ("DKIM", "dkim", "active"),
        )
        if _status(entry, field) != wanted
    ]
    if missing:
        what = " and ".join(missing)
        return (
            False,
            f"{what} of {domain} not confirmed yet: set the DNS records, then verify there",
        )
    return True, f"{domain} is confirmed"


def _is(listed: Any, domain: str) -> bool:
    """International domains may be listed in either form."""
    name = str(listed).casefold()
    try:
        return domain.casefold() in (name, name.encode("idna").decode())
    except UnicodeError:
        return False


def _status(entry: Mapping[str, Any], field: str) -> str:
    record = entry.get(field)
    return str(record.get("status")) if isinstance(record, dict) else ""
