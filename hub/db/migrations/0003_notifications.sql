-- One thing to tell one contact. plan: the steps, as the plan function made them; step_at: when a cascade
-- looks whether the next one is needed.
CREATE TABLE notification (
    id            uuid NOT NULL PRIMARY KEY,
    shop_id       smallint NOT NULL,
    contact_id    uuid NOT NULL,
    template      text,
    category      text NOT NULL,
    strategy      text NOT NULL,
    cascade       jsonb,
    status        text NOT NULL,
    data          jsonb,
    content       jsonb,
    locale        text,
    plan          jsonb NOT NULL,
    skipped       jsonb NOT NULL,
    ordering_key  text,
    collapse_key  text,
    meta          jsonb,
    send_at       timestamptz,
    held_until    timestamptz,
    expires_at    timestamptz,
    step_at       timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE INDEX notification_shop ON notification (shop_id, id);
CREATE INDEX notification_contact ON notification (contact_id, id);
CREATE INDEX notification_collapse ON notification (contact_id, collapse_key)
    WHERE collapse_key IS NOT NULL AND status IN ('scheduled', 'queued');
CREATE INDEX notification_expires ON notification (expires_at)
    WHERE expires_at IS NOT NULL AND status IN ('scheduled', 'queued');
CREATE INDEX notification_step ON notification (step_at) WHERE step_at IS NOT NULL;

-- That notification on one channel to one address.
-- due_at: not before. handout_at: when the tick gives it to a worker (again). leased_until: a worker has it.
CREATE TABLE delivery (
    id               uuid NOT NULL PRIMARY KEY,
    shop_id          smallint NOT NULL,
    notification_id  uuid NOT NULL,
    contact_id       uuid NOT NULL,
    address_id       uuid NOT NULL,
    channel          text NOT NULL,
    category         text NOT NULL,
    step             smallint NOT NULL DEFAULT 0,
    status           text NOT NULL DEFAULT 'queued',
    reason           text,
    code             text,
    account          text,
    provider         text,
    provider_id      text,
    batch_key        uuid,
    ordering_key     text,
    attempt_count    int NOT NULL DEFAULT 0,
    maybe_duplicate  boolean NOT NULL DEFAULT false,
    cost             numeric,
    due_at           timestamptz NOT NULL,
    handout_at       timestamptz NOT NULL,
    give_up_at       timestamptz NOT NULL,
    leased_until     timestamptz,
    leased_by        uuid,
    created_at       timestamptz NOT NULL DEFAULT now(),
    sent_at          timestamptz,
    delivered_at     timestamptz,
    read_at          timestamptz,
    updated_at       timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE INDEX delivery_notification ON delivery (notification_id);
CREATE INDEX delivery_handout ON delivery (shop_id, category, handout_at) WHERE status = 'queued';
CREATE INDEX delivery_leased ON delivery (leased_until) WHERE status = 'sending';
CREATE INDEX delivery_provider_id ON delivery (provider_id, account) WHERE provider_id IS NOT NULL;
CREATE INDEX delivery_ordering ON delivery (contact_id, ordering_key, notification_id)
    WHERE ordering_key IS NOT NULL AND status IN ('queued', 'sending');

-- One call to a provider, written before it is made; outcome is null while nobody knows.
CREATE TABLE attempt (
    id           uuid NOT NULL PRIMARY KEY,
    shop_id      smallint NOT NULL,
    delivery_id  uuid NOT NULL,
    number       int NOT NULL,
    account      text NOT NULL,
    provider     text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    outcome      text,
    code         text,
    detail       text
) PARTITION BY RANGE (id);
CREATE INDEX attempt_delivery ON attempt (delivery_id);

-- What a provider said later. delivery_id is null while no delivery is known by that provider_id.
CREATE TABLE receipt (
    id           uuid NOT NULL PRIMARY KEY,
    shop_id      smallint NOT NULL,
    delivery_id  uuid,
    account      text NOT NULL,
    provider_id  text NOT NULL DEFAULT '',
    status       text NOT NULL,
    code         text NOT NULL DEFAULT '',
    detail       text NOT NULL DEFAULT '',
    cost         numeric,
    happened_at  timestamptz,
    received_at  timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE INDEX receipt_delivery ON receipt (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX receipt_stray ON receipt (account, provider_id) WHERE delivery_id IS NULL;

-- An account that is not used for now, and why.
CREATE TABLE account_state (
    shop_id       smallint NOT NULL REFERENCES shop,
    account       text NOT NULL,
    refused       boolean NOT NULL,
    reason        text NOT NULL,
    code          text NOT NULL DEFAULT '',
    failures      int NOT NULL DEFAULT 1,
    paused_at     timestamptz NOT NULL DEFAULT now(),
    paused_until  timestamptz NOT NULL,
    PRIMARY KEY (shop_id, account)
);

-- What the provider `sandbox` kept instead of sending.
CREATE TABLE sandbox_message (
    id           uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    delivery_id  uuid NOT NULL,
    channel      text NOT NULL,
    address      text NOT NULL,
    subject      text NOT NULL DEFAULT '',
    text         text NOT NULL,
    html         text NOT NULL DEFAULT '',
    buttons      jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sandbox_message_shop ON sandbox_message (shop_id, id);
CREATE INDEX sandbox_message_delivery ON sandbox_message (delivery_id);
