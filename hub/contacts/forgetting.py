"""What is done to each table so that it knows a person, or the person behind an order, no more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """`again`: what was in hand while the person was erased may have written such a row afterwards."""

    statement: str
    again: bool = False


# Of what the contacts $1 were told.
_DELIVERIES = """
    SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
     WHERE n.contact_id = ANY($1)
"""


def _theirs(statement: str) -> Step:
    return Step(statement.replace(":deliveries", _DELIVERIES), again=True)


STEPS: tuple[Step, ...] = (
    # Those under way (`sending`) are in a worker's hand and end as they end, without their content.
    _theirs(
        """
        UPDATE delivery
           SET ordering_key = NULL, updated_at = now(),
               status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
               reason = CASE WHEN status = 'queued' THEN 'erased' ELSE reason END
         WHERE id IN (:deliveries) AND (status = 'queued' OR ordering_key IS NOT NULL)
        """
    ),
    _theirs(
        """
        UPDATE attempt SET detail = NULL, instead_of = instead_of - 'detail'
         WHERE (detail IS NOT NULL OR instead_of ? 'detail') AND delivery_id IN (:deliveries)
        """
    ),
    _theirs(
        """
        UPDATE receipt SET detail = '', provider_id = ''
         WHERE (detail <> '' OR provider_id <> '') AND delivery_id IN (:deliveries)
        """
    ),
    _theirs("DELETE FROM sandbox_message WHERE delivery_id IN (:deliveries)"),
    # Nothing of what stands in the person's messenger is changed any more, nor asked after.
    _theirs("DELETE FROM message_edit WHERE delivery_id IN (:deliveries)"),
    _theirs("DELETE FROM message_page WHERE delivery_id IN (:deliveries)"),
    _theirs("DELETE FROM status_question WHERE delivery_id IN (:deliveries)"),
    # Written in the transaction of the notification, so it has the very same time: found by index.
    _theirs(
        """
        DELETE FROM idempotency
         WHERE contacts && $1 AND created_at IN (
               SELECT created_at FROM notification WHERE contact_id = ANY($1))
        """
    ),
    _theirs(
        """
        UPDATE notification AS n
           SET data = NULL, content = NULL, meta = NULL, ordering_key = NULL, collapse_key = NULL,
               step_at = NULL, expires_at = least(expires_at, now()),
               status = CASE WHEN status IN ('scheduled', 'queued') AND NOT EXISTS (
                             SELECT FROM delivery AS d
                              WHERE d.notification_id = n.id AND d.status <> 'cancelled')
                        THEN 'cancelled' ELSE status END
         WHERE contact_id = ANY($1)
           AND (data IS NOT NULL OR content IS NOT NULL OR meta IS NOT NULL
                OR ordering_key IS NOT NULL OR collapse_key IS NOT NULL OR step_at IS NOT NULL
                OR status IN ('scheduled', 'queued'))
        """
    ),
    # What the shop's backend was told of the person, or would have been; what it answered may quote it.
    _theirs(
        """
        UPDATE callback_attempt SET answer = ''
         WHERE answer <> '' AND event_id IN (
               SELECT id FROM event WHERE contact_id = ANY($1)
                UNION SELECT id FROM event WHERE contacts && $1)
        """
    ),
    _theirs(
        "DELETE FROM callback WHERE event_id IN (SELECT id FROM event WHERE contact_id = ANY($1))"
    ),
    _theirs("DELETE FROM event WHERE contact_id = ANY($1)"),
    Step(
        """
        DELETE FROM heard AS h USING address AS a
         WHERE a.contact_id = ANY($1) AND h.shop_id = a.shop_id AND h.digest = a.digest
        """
    ),
    Step(
        """
        DELETE FROM code_guess AS g USING address AS a
         WHERE a.contact_id = ANY($1) AND g.shop_id = a.shop_id AND g.digest = a.digest
        """
    ),
    # The sandbox keeps what others read of the questions that the person answered.
    Step(
        """
        DELETE FROM sandbox_message
         WHERE delivery_id IN (
               SELECT d.id FROM notification AS n JOIN delivery AS d ON d.notification_id = n.id
                WHERE n.interaction IS NOT NULL AND n.interaction ->> 'id' IN (
                      SELECT stock_request_id::text FROM stock_line WHERE answered_by = ANY($1)
                       UNION
                      SELECT stock_request_id::text FROM stock_answer WHERE contact_id = ANY($1)
                       UNION
                      SELECT id::text FROM assembly WHERE assembled_by = ANY($1)))
        """
    ),
    Step(
        """
        UPDATE stock_line SET answered_by = NULL, answered_label = '', answered_name = ''
         WHERE answered_by = ANY($1)
        """
    ),
    Step(
        """
        UPDATE stock_answer SET contact_id = NULL, label = '', name = ''
         WHERE contact_id = ANY($1)
        """
    ),
    Step(
        """
        UPDATE assembly SET assembled_by = NULL, assembled_label = '', assembled_name = ''
         WHERE assembled_by = ANY($1)
        """
    ),
    # What shops' platforms said of the person. What has not been applied yet never is.
    _theirs(
        """
        UPDATE shop_event
           SET payload = NULL, object = CASE WHEN kind IN ('customer', 'cart') THEN '' ELSE object END,
               reason = CASE WHEN result = 'waiting' THEN 'erased' ELSE reason END,
               result = CASE WHEN result = 'waiting' THEN 'ignored' ELSE result END
         WHERE contact_id = ANY($1) AND (payload IS NOT NULL OR result = 'waiting')
        """
    ),
    _theirs(
        """
        DELETE FROM source_object WHERE contact_id = ANY($1) AND kind IN ('customer', 'cart')
        """
    ),
    _theirs(
        """
        UPDATE source_object SET digest = NULL WHERE contact_id = ANY($1) AND digest IS NOT NULL
        """
    ),
    _theirs(
        "DELETE FROM rule_timer WHERE about IN (SELECT id::text FROM unnest($1::uuid[]) AS id)"
    ),
    # Addresses, consents and links go with it; where it sold or was asked, its place stays empty.
    Step("DELETE FROM contact WHERE id = ANY($1)"),
)
"""In this order; $1 are the contacts."""


# What others were told of the orders $1, by the two ways in which such a message is found.
_TOLD_OTHERS = (
    """
    n.ordering_key LIKE 'order:%' AND n.ordering_key IN (SELECT 'order:' || id FROM unnest($1::uuid[]) AS id)
    """,
    """
    n.interaction IS NOT NULL AND n.interaction ->> 'id' IN (
        SELECT id::text FROM stock_request WHERE order_id = ANY($1)
         UNION SELECT id::text FROM assembly WHERE order_id = ANY($1))
    """,
)

ORDER_STEPS: tuple[str, ...] = (
    *(
        """
        DELETE FROM sandbox_message
         WHERE delivery_id IN (
               SELECT d.id FROM notification AS n JOIN delivery AS d ON d.notification_id = n.id
                WHERE :told)
        """.replace(":told", told)
        for told in _TOLD_OTHERS
    ),
    *(
        """
        UPDATE notification AS n
           SET data = data #- '{order,tracking}' #- '{order,reason}' #- '{order,labels_url}'
                           #- '{order,delivery,tracking}' #- '{order,delivery,address}'
         WHERE :told
        """.replace(":told", told)
        for told in _TOLD_OTHERS
    ),
    "UPDATE source_object SET contact_id = NULL, digest = NULL WHERE order_id = ANY($1)",
    "UPDATE order_history SET reason = '' WHERE reason <> '' AND NOT late AND order_id = ANY($1)",
    """
    UPDATE shop_order
       SET buyer_id = NULL, delivery = delivery - 'address' - 'tracking', labels_url = NULL,
           updated_at = now()
     WHERE id = ANY($1)
    """,
)
"""Orders keep their lines and lose the person: who bought, where it goes, what was said about it. $1: orders."""

BY_LABEL: tuple[str, ...] = (
    """
    UPDATE stock_answer SET label = '', name = ''
     WHERE shop_id = $1 AND contact_id IS NULL AND label <> '' AND label = ANY($2)
    """,
    """
    UPDATE stock_line SET answered_label = '', answered_name = ''
     WHERE shop_id = $1 AND answered_by IS NULL AND answered_label <> '' AND answered_label = ANY($2)
    """,
    """
    UPDATE assembly SET assembled_label = '', assembled_name = ''
     WHERE shop_id = $1 AND assembled_by IS NULL AND assembled_label <> '' AND assembled_label = ANY($2)
    """,
)
"""Answers by somebody whom the shop did not know at the time; $2 are his labels."""
