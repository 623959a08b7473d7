-- Shops on platforms. config: what is no secret; secrets: the rest and the key of signatures, sealed with a key
-- made of hub.secret. hook_version: goes up when the hook's URL is exchanged. quiet_before: what happened until
-- then is taken over and told to nobody. cursors: {kind: position} of the reading back; read_due_at: when it is
-- next, null: never. While read_by is set it is when that lease ends. unknown_codes: of which the admins were
-- told.
CREATE TABLE source (
    id             uuid PRIMARY KEY,
    shop_id        smallint NOT NULL REFERENCES shop,
    name           text NOT NULL,
    platform       text NOT NULL,
    active         boolean NOT NULL DEFAULT true,
    config         jsonb NOT NULL DEFAULT '{}',
    secrets        bytea NOT NULL,
    hook_version   smallint NOT NULL DEFAULT 1,
    id_prefix      text NOT NULL DEFAULT '',
    seller         text NOT NULL,
    warehouse      text,
    mapping        jsonb NOT NULL DEFAULT '{}',
    write_back     boolean NOT NULL DEFAULT false,
    tell_within    interval NOT NULL DEFAULT '24 hours',
    quiet_before   timestamptz NOT NULL DEFAULT now(),
    poll_every     interval,
    cursors        jsonb NOT NULL DEFAULT '{}',
    read_due_at    timestamptz,
    read_by        uuid,
    read_at        timestamptz,
    failures       int NOT NULL DEFAULT 0,
    paused_until   timestamptz,
    problem        text NOT NULL DEFAULT '',
    unknown_codes  text[] NOT NULL DEFAULT '{}',
    deleted_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX source_name ON source (shop_id, name) WHERE deleted_at IS NULL;
-- Two platforms must not share ids; what the shop's own programs tell may be about either.
CREATE UNIQUE INDEX source_prefix ON source (shop_id, id_prefix) WHERE deleted_at IS NULL AND platform <> 'generic';
CREATE INDEX source_page ON source (shop_id, id) WHERE deleted_at IS NULL;
CREATE INDEX source_read ON source (read_due_at) WHERE read_due_at IS NOT NULL;

-- What was last seen of a customer, product, cart or order of a source. codes: the states it was told in.
-- held_status: the shop said so, and it waits until the shelf has answered. wrote: what the hub itself wrote there
-- last, {"codes": […], "lines": {id: quantity}, "at": …}: not news when it comes back. facts: of carts and
-- products, which have no table of their own.
CREATE TABLE source_object (
    source_id    uuid NOT NULL REFERENCES source,
    kind         text NOT NULL,
    object       text NOT NULL,
    shop_id      smallint NOT NULL,
    changed_at   timestamptz,
    digest       bytea,
    codes        text[] NOT NULL DEFAULT '{}',
    order_id     uuid REFERENCES shop_order ON DELETE CASCADE,
    contact_id   uuid,
    held_status  text,
    wrote        jsonb,
    facts        jsonb,
    deleted_at   timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, kind, object)
);
CREATE INDEX source_object_order ON source_object (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX source_object_contact ON source_object (contact_id, kind) WHERE contact_id IS NOT NULL;

-- What platforms told, as far as its fields may be kept, and what we tell them (via write). result: waiting,
-- applied, repeated, late, stale, ignored, written, failed. set_off: {"order", "status", "rules", "notifications",
-- "timers"}. While leased_by is set, due_at is when the lease runs out.
CREATE TABLE shop_event (
    id           uuid NOT NULL PRIMARY KEY,
    shop_id      smallint NOT NULL,
    source_id    uuid NOT NULL,
    kind         text,
    action       text,
    object       text NOT NULL DEFAULT '',
    via          text NOT NULL,
    happened_at  timestamptz,
    payload      jsonb,
    quiet        boolean NOT NULL DEFAULT false,
    result       text NOT NULL DEFAULT 'waiting',
    reason       text NOT NULL DEFAULT '',
    set_off      jsonb,
    contact_id   uuid,
    tries        smallint NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    leased_by    uuid,
    handled_at   timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX shop_event_due ON shop_event (shop_id, due_at, id) WHERE result = 'waiting';
CREATE INDEX shop_event_queue ON shop_event (source_id, kind, object, id) WHERE result = 'waiting';
CREATE INDEX shop_event_leased ON shop_event (leased_by) WHERE leased_by IS NOT NULL;
CREATE INDEX shop_event_page ON shop_event (shop_id, id);
CREATE INDEX shop_event_object ON shop_event (shop_id, kind, object, id);
CREATE INDEX shop_event_failed ON shop_event (shop_id, id) WHERE result = 'failed';
CREATE INDEX shop_event_contact ON shop_event (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX shop_event_nobody ON shop_event (shop_id) WHERE contact_id IS NULL AND result IN ('waiting', 'failed');

-- By which a repeat is known: unique over all months, which a table cut by month cannot promise. key: a digest.
CREATE TABLE shop_event_key (
    source_id  uuid NOT NULL REFERENCES source,
    key        bytea NOT NULL,
    event_id   uuid NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, key)
);
CREATE INDEX shop_event_key_age ON shop_event_key (seen_at);

-- A shop's own rules; one with the name of a default takes its place. delay: at most 10,080 minutes.
CREATE TABLE rule (
    id          uuid PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    name        text NOT NULL,
    event       text NOT NULL,
    condition   jsonb,
    audiences   text[] NOT NULL,
    template    text NOT NULL,
    channels    text[],
    delay       interval NOT NULL DEFAULT '0',
    active      boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, name)
);

-- A rule that waits. about: an order's or contact's id, or "source/object" of a cart or product; state: what must
-- still be so when its time comes (an order's status, a cart's changed_at).
CREATE TABLE rule_timer (
    id          uuid PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    rule        text NOT NULL,
    event       text NOT NULL,
    kind        text NOT NULL,
    about       text NOT NULL,
    state       text NOT NULL DEFAULT '',
    event_id    uuid,
    due_at      timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, rule, kind, about)
);
CREATE INDEX rule_timer_due ON rule_timer (due_at);
CREATE INDEX rule_timer_about ON rule_timer (shop_id, kind, about);

-- History taken over. origin: source (read by the hub) or rows (brought by a program). position: {"kind",
-- "positions": {kind: …}}; done: rows of the run that are behind it, whatever came of them. faults: the first
-- hundred, [{"row", "detail"}], without values. window_*: for the rate.
CREATE TABLE import_run (
    id            uuid PRIMARY KEY,
    shop_id       smallint NOT NULL REFERENCES shop,
    source_id     uuid NOT NULL REFERENCES source,
    origin        text NOT NULL,
    kinds         text[] NOT NULL,
    since         timestamptz,
    fingerprint   text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'running',
    reason        text NOT NULL DEFAULT '',
    position      jsonb NOT NULL DEFAULT '{}',
    total         bigint,
    done          bigint NOT NULL DEFAULT 0,
    added         bigint NOT NULL DEFAULT 0,
    changed       bigint NOT NULL DEFAULT 0,
    known         bigint NOT NULL DEFAULT 0,
    faulty        bigint NOT NULL DEFAULT 0,
    faults        jsonb NOT NULL DEFAULT '[]',
    window_at     timestamptz,
    window_done   bigint NOT NULL DEFAULT 0,
    leased_by     uuid,
    due_at        timestamptz NOT NULL DEFAULT now(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
);
CREATE INDEX import_run_page ON import_run (shop_id, id);
CREATE INDEX import_run_due ON import_run (due_at) WHERE state = 'running' AND origin = 'source';
