-- The shop backend's subscriptions. secret, previous_secret: sealed with a key made of hub.secret.
-- failures: calls in a row without a 2xx; failing_since: the first of them; paused_until: left alone till then.
CREATE TABLE webhook (
    id               uuid PRIMARY KEY,
    shop_id          smallint NOT NULL REFERENCES shop,
    url              text NOT NULL,
    events           text[] NOT NULL,
    description      text NOT NULL DEFAULT '',
    active           boolean NOT NULL DEFAULT true,
    secret           bytea NOT NULL,
    previous_secret  bytea,
    previous_until   timestamptz,
    failures         int NOT NULL DEFAULT 0,
    failing_since    timestamptz,
    paused_until     timestamptz,
    disabled_reason  text,
    disabled_at      timestamptz,
    deleted_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
-- Looked at by every statement that may have something to tell.
CREATE INDEX webhook_heard ON webhook (shop_id) WHERE active;
CREATE INDEX webhook_shop ON webhook (shop_id, id) WHERE deleted_at IS NULL;

-- Something that happened and that at least one webhook had asked for. body: the very bytes that are signed
-- and sent, by every try. contact_id: whose personal data may stand in it.
CREATE TABLE event (
    id          uuid NOT NULL PRIMARY KEY,
    shop_id     smallint NOT NULL,
    type        text NOT NULL,
    contact_id  uuid,
    body        bytea NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX event_contact ON event (contact_id) WHERE contact_id IS NOT NULL;

-- That event for one webhook. tries: of the present round, which began at begun_at; attempt_count: of all.
-- While leased_by is set, due_at is when the lease runs out. repeats: false for a test, which is tried once.
CREATE TABLE callback (
    event_id       uuid NOT NULL,
    webhook_id     uuid NOT NULL,
    shop_id        smallint NOT NULL,
    status         text NOT NULL DEFAULT 'pending',
    repeats        boolean NOT NULL DEFAULT true,
    tries          int NOT NULL DEFAULT 0,
    attempt_count  int NOT NULL DEFAULT 0,
    begun_at       timestamptz NOT NULL DEFAULT now(),
    due_at         timestamptz NOT NULL DEFAULT now(),
    leased_by      uuid,
    PRIMARY KEY (event_id, webhook_id)
) PARTITION BY RANGE (event_id);
CREATE INDEX callback_due ON callback (webhook_id, due_at) WHERE status = 'pending';
CREATE INDEX callback_leased ON callback (leased_by) WHERE leased_by IS NOT NULL;

-- One call to the shop's backend. next_at: when the next one was due, null where it was the last.
CREATE TABLE callback_attempt (
    id           uuid NOT NULL PRIMARY KEY,
    shop_id      smallint NOT NULL,
    webhook_id   uuid NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    number       int NOT NULL,
    outcome      text NOT NULL,
    reason       text,
    http_status  smallint,
    answer       text NOT NULL DEFAULT '',
    started_at   timestamptz NOT NULL,
    duration     interval NOT NULL,
    next_at      timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX callback_attempt_webhook ON callback_attempt (webhook_id, id);
CREATE INDEX callback_attempt_event ON callback_attempt (event_id);

-- Whom the hub tells of its own troubles.
CREATE INDEX contact_admins ON contact (shop_id) WHERE role = 'admin';
