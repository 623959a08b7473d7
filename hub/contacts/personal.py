"""Where people's data is: what an erasure takes, what an export tells. A table or column that is not here fails a
test."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Held:
    """What one table holds of people.

    `told`: personal columns that an export shows, `untold`: those that it does not, and why. `plain`: the rest.
    """

    told: frozenset[str] = frozenset()
    untold: Mapping[str, str] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()

    @property
    def personal(self) -> frozenset[str]:
        return self.told | self.untold.keys()


def _held(told: str = "", plain: str = "", **untold: str) -> Held:
    return Held(frozenset(told.split()), untold, frozenset(plain.split()))


_DIGEST = "made of the address, which is told"
_LINK = "opens a door; kept as a digest that nobody can read"
_SAME = "stands beside the notification that is told"

PERSONAL: Mapping[str, Held] = {
    "contact": _held(
        "external_id name locale timezone attributes preferences warehouses",
        "id shop_id role created_at updated_at",
    ),
    "address": _held(
        "value",
        "id shop_id contact_id kind provider verified created_at updated_at one_off value_since",
        digest=_DIGEST,
    ),
    "consent": _held("state source changed_at", "contact_id category channel"),
    # What is left of it when the person is erased: the plain columns.
    "consent_event": _held(
        "source wording said_at remote addresses",
        "id shop_id contact_id category channel state via at actor_id actor_name request_id erased_at digests proof",
    ),
    "contact_link": _held(
        "",
        "shop_id contact_id channel expires_at used_at created_at",
        digest=_LINK,
        code_digest=_LINK,
    ),
    "answer_link": _held("", "shop_id kind about contact_id expires_at created_at", digest=_LINK),
    "notification": _held(
        "data content meta ordering_key collapse_key",
        "id shop_id contact_id template category strategy cascade status locale plan skipped send_at held_until"
        " expires_at step_at created_at interaction listed ends_at",
    ),
    "delivery": _held(
        "provider_id ordering_key",
        "id shop_id notification_id contact_id address_id channel category step status reason code account provider"
        " batch_key attempt_count maybe_duplicate cost route due_at handout_at give_up_at leased_until leased_by"
        " created_at sent_at delivered_at read_at updated_at",
    ),
    "attempt": _held(
        "detail instead_of",
        "id shop_id delivery_id number account provider started_at finished_at outcome code call_id call_size"
        " batch_key",
    ),
    "receipt": _held(
        "provider_id detail",
        "id shop_id delivery_id account status code cost happened_at received_at",
    ),
    "sandbox_message": _held(
        "address subject text html buttons", "id shop_id delivery_id channel created_at edited_at"
    ),
    "idempotency": _held(
        "",
        "shop_id path fingerprint status contacts created_at",
        key="the shop's own name for a request, kept for two days",
        body="a copy of what the notification shows, for two days, with other people's in it",
    ),
    "event": _held("body", "id shop_id type contact_id contacts"),
    "callback_attempt": _held(
        "answer",
        "id shop_id webhook_id event_id type number outcome reason http_status started_at duration next_at",
    ),
    "bot_update": _held("chat raw", "id shop_id account event failures received_at handled_at"),
    "heard": _held(
        "address text",
        "id shop_id account channel event heard_at received_at failures handled_at",
        digest=_DIGEST,
    ),
    "code_guess": _held("", "shop_id code_digest guessed_at", digest=_DIGEST),
    "shop_order": _held(
        "buyer_id delivery labels_url",
        "id shop_id external_id number status told_status currency total revision created_at updated_at forgotten_at",
    ),
    "order_history": _held("reason", "id shop_id order_id status source late at"),
    "order_line": _held(
        "seller_id",
        "order_id line_id shop_id position sku title quantity price image_url warehouse_id stock_request_id",
    ),
    "stock_line": _held(
        "answered_by answered_label answered_name",
        "stock_request_id line_id shop_id asked confirmed answered_at final_at via",
    ),
    "stock_answer": _held(
        "contact_id label name", "id shop_id stock_request_id via lines seen result at"
    ),
    "assembly": _held(
        "seller_id assembled_by assembled_label assembled_name",
        "id shop_id order_id warehouse_id status seller_asked opened_at assembled_at via packed updated_at",
    ),
    "stock_request": _held(
        "seller_id",
        "id shop_id order_id warehouse_id status reason revision seller_asked opened_at clock_from next_step"
        " next_step_at deadline answered_at updated_at",
    ),
    "stock_message": _held(
        "", "stock_request_id notification_id shop_id step channel created_at", contact_id=_SAME
    ),
    "assembly_message": _held(
        "", "assembly_id notification_id shop_id created_at", contact_id=_SAME
    ),
    "warehouse": _held(
        "seller_id",
        "id shop_id external_id name address timezone hours created_at updated_at",
    ),
    # A group is a place and no person; an erased contact that is a group has no place any more.
    "warehouse_chat": _held("", "shop_id warehouse_id contact_id channel value created_at"),
    # What shops' platforms said of the person, in their own words.
    "shop_event": _held(
        "object payload",
        "id shop_id source_id kind action via happened_at quiet result reason set_off contact_id tries due_at"
        " leased_by handled_at",
    ),
    "source_object": _held(
        "object facts",
        "source_id kind shop_id changed_at codes order_id contact_id held_status wrote deleted_at updated_at",
        digest="made of what the platform said, which is told",
    ),
    # Outlives the person on purpose: whoever left must not be written to again.
    "suppression": _held("reason code", "shop_id channel delivery_id created_at", digest=_DIGEST),
}

IMPERSONAL: Mapping[str, str] = {
    "shop": "of the settings",
    "api_key": "of programs",
    "template_version": "texts for everybody, by the name of a key or an operator's login",
    "account_state": "of accounts; numbers and addresses in a provider's words are hidden",
    "webhook": "of the shop's backend",
    "callback": "states of events, by their ids",
    "bot_cursor": "of accounts",
    "warehouse_link": "of places",
    "message_edit": "ids",
    "message_page": "ids",
    "status_question": "ids",
    "held_delivery": "ids and times",
    "held_step": "ids and times",
    "erasure": "ids of contacts that are no more",
    "source": "of shops' platforms",
    "shop_event_key": "digests of names for events",
    "rule": "of shops",
    "rule_timer": "ids and times",
    "import_run": "counts, and places in files",
    "delivery_total": "counts",
    "delivery_day": "counts",
    "delivery_day_error": "counts by what was wrong, and ids of deliveries",
    "delivery_day_until": "times",
    "delivery_hour": "counts",
    "delivery_hour_error": "counts by what was wrong, and ids of deliveries",
    "delivery_hour_counted": "times",
    "audit": "what keys and operators did, by ids",
    # Staff who sign in, and no contacts: an owner removes them, see docs/personal-data.md.
    "operator": "of those who sign in to the console",
    "operator_shop": "what they may do in which shop",
    "operator_session": "their sessions, which end within two weeks",
    "operator_invite": "digests of links for them",
    "operator_try": "digests, for a quarter of an hour",
    "schema_step": "of the schema",
}
"""Tables without anything personal, and what they hold."""

STAYS: frozenset[str] = frozenset({"suppression"})
"""Tables that an erasure leaves as they are."""
