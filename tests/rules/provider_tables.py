"""The tables of providers in the README and the docs, made from the registry: `make docs` writes them."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from channels import registry
from channels.base import Adapter, Channel
from channels.registry import Provider

ROOT = Path(__file__).resolve().parents[2]

_MARKS = re.compile(r"(<!-- providers -->\n).*?(<!-- /providers -->)", re.DOTALL)

_EN: Mapping[Channel, str] = {
    Channel.EMAIL: "e-mail",
    Channel.TELEGRAM: "Telegram",
    Channel.VK: "VK",
    Channel.MAX: "MAX",
    Channel.SMS: "SMS",
    Channel.PUSH: "push",
    Channel.VIBER: "Viber",
    Channel.WHATSAPP: "WhatsApp",
}
_RU: Mapping[Channel, str] = {
    **_EN,
    Channel.EMAIL: "почта",
    Channel.VK: "ВКонтакте",
    Channel.SMS: "СМС",
}


def short(words: Mapping[Channel, str], head: tuple[str, str, str], anybody: str) -> str:
    """Channel, provider, service: for a README."""
    rows = [
        (words[channel], f"[`{name}`](docs/providers/{known.page}.md)", known.title)
        for channel, name, known, _ in _known()
    ]
    rows.append((anybody, "[`sandbox`](docs/providers/sandbox.md)", ""))
    return _table(head, rows)


def full() -> str:
    """For the list of providers' pages."""
    head = ("channel", "provider", "service", "tells at best", "how", "messages a call", "a repeat")
    rows = [
        (
            str(channel),
            f"[`{name}`]({known.page}.md)",
            known.title,
            str(adapter.tells),
            _how(adapter),
            known.per_call,
            _repeat(adapter.deduplicates),
        )
        for channel, name, known, adapter in _known()
    ]
    rows.append(("any", "[`sandbox`](sandbox.md)", "", "", "", "", ""))
    return _table(head, rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "README.md": lambda: short(_EN, ("channel", "provider", "service"), "any"),
    "README.ru.md": lambda: short(_RU, ("канал", "провайдер", "сервис"), "любой"),
    "docs/providers/README.md": full,
}


def with_table(text: str, table: str) -> str:
    """The page with the table between its marks."""
    return _MARKS.sub(lambda marks: f"{marks[1]}{table}{marks[2]}", text)


def _known() -> list[tuple[Channel, str, Provider, type[Adapter]]]:
    found = [
        (channel, name, registry.described(channel, name), registry.adapter_class(channel, name))
        for channel, name in registry.known()
    ]
    order = list(Channel)
    return sorted(found, key=lambda row: order.index(row[0]))


def _how(adapter: type[Adapter]) -> str:
    """How the hub learns what became of a message."""
    ways = [("read_hook", "callback"), ("ask", "asked"), ("listen", "same connection")]
    return ", ".join(word for name, word in ways if hasattr(adapter, name))


def _repeat(recognised_for: timedelta) -> str:
    if not recognised_for:
        return "is a second message"
    minutes = int(recognised_for.total_seconds() // 60)
    return f"recognised for {minutes} min" if minutes < 120 else f"recognised for {minutes // 60} h"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    for name, table in TABLES.items():
        page = ROOT / name
        page.write_text(with_table(page.read_text("utf-8"), table()), "utf-8")


if __name__ == "__main__":
    main()
