"""What providers say quotes the receiver now and then. It is kept, shown and logged with the address masked, which has one
home only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from channels.base import Accepted, Message, Outcome, Receipt, Refused, Retry
from hub.contacts.masking import SHORTEST, Quotes, masked_all

_LONGEST = 500
"""More of a text is not kept."""


def outcomes(call: Sequence[Message], results: Sequence[Outcome]) -> list[Outcome]:
    """Of one call, in its order. A refusal of the whole may quote whichever of its receivers."""
    if all(type(result) is Accepted for result in results):
        return list(results)
    quotes = Quotes([message.to for message in call])
    return [_outcome(result, quotes) for result in results]


def receipt(told: Receipt, address: str | None) -> Receipt:
    """`address`: of the message's receiver, in its stored form; None: it is not known who that was."""
    if not told.text and len(told.code) < SHORTEST:
        # Most say nothing more than that it arrived.
        return told
    known = [a for a in (address, told.address) if a]
    mask = Quotes(known).masked if address else masked_all
    code, text = mask(told.code), mask(told.text[:_LONGEST])
    return told if (code, text) == (told.code, told.text) else replace(told, code=code, text=text)


def row(notification: Mapping[str, Any]) -> dict[str, Any]:
    """One of `storage`, for those who may not see addresses: also words that an earlier version of the hub kept as they
    came, and ids of providers that hold the number."""
    return {**notification, "deliveries": [_delivery(d) for d in notification["deliveries"]]}


def _delivery(delivery: Mapping[str, Any]) -> dict[str, Any]:
    quotes = Quotes([address] if (address := delivery["address"]) else [])

    def words(said: Mapping[str, Any]) -> dict[str, Any]:
        code, detail = (masked_all(quotes.masked(said[name] or "")) for name in ("code", "detail"))
        return {**said, "code": code or None, "detail": detail or None}

    id_ = delivery["provider_id"]
    return {
        **delivery,
        "provider_id": id_ and quotes.masked(id_),
        "attempts": [words(attempt) for attempt in delivery["attempts"]],
        "receipts": [words(receipt) for receipt in delivery["receipts"]],
    }


def _outcome(result: Outcome, quotes: Quotes) -> Outcome:
    match result:
        case Refused(_, code, reason):
            reason = quotes.masked(reason[:_LONGEST])
            return replace(result, code=quotes.masked(code[:_LONGEST]), reason=reason)
        case Retry(reason):
            return replace(result, reason=quotes.masked(reason[:_LONGEST]))
    return result
