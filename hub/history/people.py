"""Whoever stands in a portion of history, found or made in one go: customers, guests and sellers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.contacts import merge
from hub.contacts import queries as contacts
from hub.contacts import service as upserting
from hub.contacts.addresses import digest
from hub.contacts.model import Contact, ContactIn
from hub.db.pool import Connection
from hub.events.people import addresses, own_names
from hub.ids import new_id
from hub.sources.model import CustomerFacts, Source
from hub.tokens import Signer


@dataclass(slots=True)
class People:
    """Those of one portion, by external_id, as they are and as they will be. What is said of one is put onto what was
    said of him before."""

    held: Mapping[str, Contact]
    after: dict[str, Contact] = field(default_factory=dict)
    said: list[tuple[str, ContactIn]] = field(default_factory=list)

    def known(self, external_id: str) -> Contact | None:
        return self.after.get(external_id) or self.held.get(external_id)

    def say(self, external_id: str, given: ContactIn) -> bool:
        """Whether it makes a difference."""
        before = self.known(external_id)
        contact = before or Contact(new_id(), external_id)
        self.after[external_id] = after = merge.merged(contact, given, new_id=new_id)
        if after == before:
            return False
        self.said.append((external_id, given))
        return True

    async def write(self, conn: Connection, shop_id: int) -> Mapping[str, Contact]:
        """Everybody, with the ids under which they are held. All of a transaction's people are written by one call, so
        that nobody waits for somebody who waits for him."""
        written = await upserting.upsert_many(conn, shop_id, self.said)
        found = {**self.held, **self.after}
        for (external_id, _), one in zip(self.said, written, strict=True):
            # Somebody else may have made him just now.
            if found[external_id].id != one.id:
                found[external_id] = replace(found[external_id], id=one.id)
        return found


async def held(conn: Connection, shop_id: int, external_ids: Iterable[str]) -> People:
    return People(await contacts.by_external_ids(conn, shop_id, sorted(set(external_ids))))


def careful(source: Source) -> Source:
    """What is old fills what is empty and takes the place of nothing."""
    given = source.mapping.overwrite
    fields = {name: "never" if how == "never" else "if_empty" for name, how in given.fields.items()}
    default = "never" if given.default == "never" else "if_empty"
    overwrite = given.model_copy(update={"default": default, "fields": fields})
    return replace(source, mapping=source.mapping.model_copy(update={"overwrite": overwrite}))


async def names(
    conn: Connection,
    signer: Signer,
    shop_id: int,
    source: Source,
    customers: Sequence[CustomerFacts],
) -> list[str | None]:
    """The external_id of each; None: nobody can be found by what is said of him. A guest is the buyer who has that
    e-mail, else that phone, here or among these customers; else he gets a name made of them."""
    own = await own_names(conn, shop_id, source, {one.id for one in customers if one.id})
    guests = [one for one in customers if not one.id]
    found: dict[bytes, str] = {}
    if guests:
        wanted = {key for guest in guests for key in _digests(guest)}
        found = await _buyers_at(conn, shop_id, wanted)
        for one in customers:
            if one.id:
                found |= {key: own[one.id] for key in _digests(one) if key in wanted}
    return [own[one.id] if one.id else _guest(signer, source, one, found) for one in customers]


def _guest(
    signer: Signer, source: Source, guest: CustomerFacts, found: Mapping[bytes, str]
) -> str | None:
    for key in _digests(guest):
        if key in found:
            return found[key]
    for value in addresses(guest).values():
        return f"{source.id_prefix}guest-{signer.name('guest', value)}"
    return None


def _digests(customer: CustomerFacts) -> list[bytes]:
    """The e-mail counts first."""
    return [digest(kind, value) for kind, value in addresses(customer).items()]


async def _buyers_at(conn: Connection, shop_id: int, digests: Iterable[bytes]) -> dict[bytes, str]:
    """Of several who share an address the one whose it became last."""
    rows = await conn.fetch(
        """
        SELECT a.digest, c.external_id FROM address AS a JOIN contact AS c ON c.id = a.contact_id
         WHERE a.shop_id = $1 AND a.digest = ANY($2) AND NOT a.one_off
           AND c.role = 'buyer' AND c.external_id IS NOT NULL
         ORDER BY a.updated_at, c.id
        """,
        shop_id,
        sorted(digests),
    )
    return {row["digest"]: row["external_id"] for row in rows}
