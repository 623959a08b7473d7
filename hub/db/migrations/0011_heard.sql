-- What people wrote to an account (an answer by SMS, a message in WhatsApp), stored before the provider is
-- answered. digest: of the sender's address, as in `address`. event: the provider's id of it, the same whenever it
-- tells it again.
CREATE TABLE heard (
    id           uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    account      text NOT NULL,
    channel      text NOT NULL,
    event        text NOT NULL,
    address      text NOT NULL,
    digest       bytea NOT NULL,
    text         text NOT NULL,
    heard_at     timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    failures     smallint NOT NULL DEFAULT 0,
    handled_at   timestamptz,
    UNIQUE (shop_id, account, event)
);
CREATE INDEX heard_waiting ON heard (id) WHERE handled_at IS NULL;
CREATE INDEX heard_from ON heard (shop_id, digest, channel, heard_at);
CREATE INDEX heard_age ON heard (received_at);

-- Messages whose provider tells what became of them only when it is asked, and when it is asked next.
-- asked: how often it was.
CREATE TABLE status_question (
    delivery_id  uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    account      text NOT NULL,
    asked        smallint NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL
);
CREATE INDEX status_question_due ON status_question (shop_id, account, due_at);

-- An answer by SMS names the order by its number.
CREATE INDEX shop_order_number ON shop_order (shop_id, lower(number));
