-- Messages that are questions are found by what they ask about.
CREATE INDEX notification_interaction ON notification ((interaction ->> 'id'))
    WHERE interaction IS NOT NULL;

-- Messages that are to be brought up to the present state. wanted: how often it was asked for, so that what
-- comes in between is not taken for done. due_at: not before; whoever edits it puts it ahead as his lease.
-- held: due_at is a lease or a pause that the provider asked for; else the row only waits for its own time.
CREATE TABLE message_edit (
    delivery_id  uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    wanted       int NOT NULL DEFAULT 1,
    failures     smallint NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    held         boolean NOT NULL DEFAULT false
);
CREATE INDEX message_edit_due ON message_edit (due_at);

-- Which page of a question stands in a message, where it is not the first one: what others answer must not
-- turn it over under somebody's thumb.
CREATE TABLE message_page (
    delivery_id  uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    page         text NOT NULL,
    turned_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX message_page_age ON message_page (turned_at);

-- What a bot answers belongs to no delivery.
ALTER TABLE sandbox_message ALTER COLUMN delivery_id DROP NOT NULL;
-- When the provider `sandbox` was last told to change the message; null: never.
ALTER TABLE sandbox_message ADD COLUMN edited_at timestamptz;
