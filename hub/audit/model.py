"""Who acts, and what can be done that is written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class ActorKind(StrEnum):
    KEY = "key"
    """A program, by an API key."""
    OPERATOR = "operator"
    """Somebody who signed in to the console."""
    PERSON = "person"
    """Somebody on a page of ours, whom his link names."""
    CLI = "cli"
    """Somebody at the machine, by the command `vestnik`."""
    SYSTEM = "system"
    """The hub by itself."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` and `name`: of the key, which its beginning names; of the operator, by his login; or who sat at which
    machine. `remote`: the address from which the request came."""

    kind: ActorKind
    id: UUID | None = None
    name: str = ""
    request_id: str = ""
    remote: str = ""


SYSTEM = Actor(ActorKind.SYSTEM)


class Action(StrEnum):
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    TEMPLATE_STORED = "template.stored"
    TEMPLATE_REMOVED = "template.removed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_RESENT = "webhook.resent"
    SOURCE_CREATED = "source.created"
    SOURCE_CHANGED = "source.changed"
    SOURCE_REMOVED = "source.removed"
    SOURCE_ROTATED = "source.rotated"
    SOURCE_CONNECTED = "source.connected"
    EVENT_REPLAYED = "event.replayed"
    RULE_STORED = "rule.stored"
    RULE_REMOVED = "rule.removed"
    IMPORT_STARTED = "import.started"
    IMPORT_PAUSED = "import.paused"
    IMPORT_RESUMED = "import.resumed"
    IMPORT_CANCELLED = "import.cancelled"
    WAREHOUSE_STORED = "warehouse.stored"
    WAREHOUSE_LINK_CREATED = "warehouse.link_created"
    ORDER_MOVED = "order.moved"
    ORDER_TRIED = "order.tried"
    STOCK_ANSWERED = "stock.answered"
    ASSEMBLY_DONE = "assembly.done"
    CONTACT_ERASED = "contact.erased"
    CONTACT_EXPORTED = "contact.exported"
    CONTACT_LINK_CREATED = "contact.link_created"
    CONSENT_PROVEN = "consent.proven"
    CONSENT_CHANGED = "consent.changed"
    SUPPRESSION_LIFTED = "suppression.lifted"
    NOTIFICATION_SENT = "notification.sent"
    NOTIFICATION_SENT_AGAIN = "notification.sent_again"
    NOTIFICATION_CANCELLED = "notification.cancelled"
    SECRETS_RESEALED = "secrets.resealed"
    SECRETS_FORGOTTEN = "secrets.forgotten"
    DATA_DROPPED = "data.dropped"
    DATA_SCRUBBED = "data.scrubbed"
    OPERATOR_SIGNED_IN = "operator.signed_in"
    OPERATOR_SIGN_IN_REFUSED = "operator.sign_in_refused"
    OPERATOR_SIGNED_OUT = "operator.signed_out"
    OPERATOR_INVITED = "operator.invited"
    OPERATOR_CREATED = "operator.created"
    OPERATOR_CHANGED = "operator.changed"
    OPERATOR_REMOVED = "operator.removed"
    OPERATOR_PASSWORD_CHANGED = "operator.password_changed"  # noqa: S105 (an act)
    OPERATOR_TOTP_ON = "operator.totp_on"
    OPERATOR_TOTP_OFF = "operator.totp_off"
    OPERATOR_SESSION_REVOKED = "operator.session_revoked"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log, as it is read. `detail`: names of what changed, never values that people gave."""

    id: UUID
    actor: ActorKind
    actor_id: UUID | None
    actor_name: str
    action: str
    object: str
    detail: Mapping[str, Any]
    request_id: str
    remote: str
    at: datetime
