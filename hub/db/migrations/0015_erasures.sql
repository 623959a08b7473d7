-- Who was erased: the id of a contact that is no more, which says nothing of anybody. What was in a worker's hand
-- at that moment may write of the person once more: swept_at is when the tables were looked through again for the
-- last time, tidied_at when what PostgreSQL had kept of the rows was given up.
CREATE TABLE erasure (
    contact_id  uuid PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    erased_at   timestamptz NOT NULL DEFAULT now(),
    swept_at    timestamptz,
    tidied_at   timestamptz
);
CREATE INDEX erasure_untidy ON erasure (erased_at) WHERE tidied_at IS NULL;

-- People who are named in an event beside the one it is about: a seller, whoever answered.
ALTER TABLE event ADD COLUMN contacts uuid[];
CREATE INDEX event_contacts ON event USING gin (contacts) WHERE contacts IS NOT NULL;

-- What others were told of a buyer's order is found by the order.
CREATE INDEX notification_order ON notification (ordering_key) WHERE ordering_key LIKE 'order:%';

-- Answers by somebody whom the shop did not know yet carry his address in the messenger as their label.
CREATE INDEX stock_answer_label ON stock_answer (shop_id, label) WHERE contact_id IS NULL AND label <> '';
CREATE INDEX stock_line_label ON stock_line (shop_id, answered_label)
    WHERE answered_by IS NULL AND answered_label <> '';
CREATE INDEX assembly_label ON assembly (shop_id, assembled_label)
    WHERE assembled_by IS NULL AND assembled_label <> '';
