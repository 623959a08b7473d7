-- Places where goods lie. hours: {"mon": ["09:00", "18:00"], ...}, empty: always open.
CREATE TABLE warehouse (
    id           uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    external_id  text NOT NULL,
    name         text NOT NULL DEFAULT '',
    address      text NOT NULL DEFAULT '',
    timezone     text,
    hours        jsonb NOT NULL DEFAULT '{}',
    seller_id    uuid REFERENCES contact ON DELETE SET NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, external_id)
);
CREATE INDEX warehouse_page ON warehouse (shop_id, id);
CREATE INDEX warehouse_seller ON warehouse (seller_id) WHERE seller_id IS NOT NULL;

-- A group chat of a warehouse. contact_id: the contact without an external_id that has this address, so that
-- a chat is written to, suppressed and counted like a person.
CREATE TABLE warehouse_chat (
    shop_id       smallint NOT NULL REFERENCES shop,
    warehouse_id  uuid NOT NULL REFERENCES warehouse ON DELETE CASCADE,
    contact_id    uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    channel       text NOT NULL,
    value         text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (warehouse_id, channel, value)
);
CREATE INDEX warehouse_chat_contact ON warehouse_chat (contact_id);

CREATE TABLE warehouse_link (
    digest        bytea PRIMARY KEY,
    shop_id       smallint NOT NULL REFERENCES shop,
    warehouse_id  uuid NOT NULL REFERENCES warehouse ON DELETE CASCADE,
    channel       text NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX warehouse_link_age ON warehouse_link (expires_at);

-- revision: how often its stock was confirmed to the shop. told_status: what the shop said last, so that a
-- repeat of it is seen as one although the order has moved on by itself.
CREATE TABLE shop_order (
    id           uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    external_id  text NOT NULL,
    number       text NOT NULL,
    status       text NOT NULL,
    told_status  text NOT NULL,
    buyer_id     uuid REFERENCES contact ON DELETE SET NULL,
    currency     text NOT NULL,
    total        numeric,
    delivery     jsonb NOT NULL DEFAULT '{}',
    labels_url   text,
    revision     int NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, external_id)
);
CREATE INDEX shop_order_page ON shop_order (shop_id, id);
CREATE INDEX shop_order_status ON shop_order (shop_id, status, id);
CREATE INDEX shop_order_buyer ON shop_order (buyer_id, id) WHERE buyer_id IS NOT NULL;

-- Every status an order was given. late: it lay behind the present one and changed nothing.
CREATE TABLE order_history (
    id        uuid PRIMARY KEY,
    shop_id   smallint NOT NULL REFERENCES shop,
    order_id  uuid NOT NULL REFERENCES shop_order ON DELETE CASCADE,
    status    text NOT NULL,
    source    text NOT NULL,
    late      boolean NOT NULL DEFAULT false,
    reason    text NOT NULL DEFAULT '',
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX order_history_order ON order_history (order_id, id);

-- "Do you have these lines?" to one warehouse of one seller; warehouse_id null: to the seller himself.
-- seller_asked: the seller was asked, for want of staff or because they did not answer.
-- clock_from: since when it waits; a question that grows starts anew. next_step: of the escalation, due at
-- next_step_at (null: none). revision: how often it was answered in full.
CREATE TABLE stock_request (
    id            uuid PRIMARY KEY,
    shop_id       smallint NOT NULL REFERENCES shop,
    order_id      uuid NOT NULL REFERENCES shop_order ON DELETE CASCADE,
    seller_id     uuid REFERENCES contact ON DELETE SET NULL,
    warehouse_id  uuid REFERENCES warehouse,
    status        text NOT NULL DEFAULT 'open',
    reason        text NOT NULL DEFAULT '',
    revision      int NOT NULL DEFAULT 0,
    seller_asked  boolean NOT NULL DEFAULT false,
    opened_at     timestamptz NOT NULL,
    clock_from    timestamptz NOT NULL,
    next_step     smallint NOT NULL DEFAULT 1,
    next_step_at  timestamptz,
    deadline      timestamptz,
    answered_at   timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stock_request_order ON stock_request (order_id, id);
CREATE INDEX stock_request_page ON stock_request (shop_id, status, id);
CREATE INDEX stock_request_all ON stock_request (shop_id, id);
CREATE INDEX stock_request_due ON stock_request (next_step_at) WHERE next_step_at IS NOT NULL;
-- The boards: what is open at a place, and with a seller.
CREATE INDEX stock_request_at ON stock_request (warehouse_id, opened_at, id)
    WHERE status IN ('open', 'overdue', 'escalated');
CREATE INDEX stock_request_with ON stock_request (seller_id, opened_at, id)
    WHERE status IN ('open', 'overdue', 'escalated');
CREATE INDEX stock_request_seller ON stock_request (seller_id) WHERE seller_id IS NOT NULL;

-- One row a line that was asked for. final_at: until then the same person may correct it.
-- answered_label: who answered, in the shop's words; answered_name: for people to read.
CREATE TABLE stock_line (
    stock_request_id  uuid NOT NULL REFERENCES stock_request ON DELETE CASCADE,
    line_id           text NOT NULL,
    shop_id           smallint NOT NULL REFERENCES shop,
    asked             int NOT NULL,
    confirmed         int,
    answered_by       uuid REFERENCES contact ON DELETE SET NULL,
    answered_label    text NOT NULL DEFAULT '',
    answered_name     text NOT NULL DEFAULT '',
    answered_at       timestamptz,
    final_at          timestamptz,
    via               text,
    PRIMARY KEY (stock_request_id, line_id)
);
CREATE INDEX stock_line_answered_by ON stock_line (answered_by) WHERE answered_by IS NOT NULL;

CREATE TABLE order_line (
    order_id          uuid NOT NULL REFERENCES shop_order ON DELETE CASCADE,
    line_id           text NOT NULL,
    shop_id           smallint NOT NULL REFERENCES shop,
    position          smallint NOT NULL,
    sku               text NOT NULL DEFAULT '',
    title             text NOT NULL,
    quantity          int NOT NULL,
    price             numeric,
    image_url         text,
    seller_id         uuid REFERENCES contact ON DELETE SET NULL,
    warehouse_id      uuid REFERENCES warehouse,
    -- The question it was last in; null: never asked.
    stock_request_id  uuid REFERENCES stock_request ON DELETE SET NULL,
    PRIMARY KEY (order_id, line_id)
);
CREATE INDEX order_line_seller ON order_line (seller_id) WHERE seller_id IS NOT NULL;
CREATE INDEX order_line_request ON order_line (stock_request_id) WHERE stock_request_id IS NOT NULL;

-- Every answer as it came, whatever came of it: who, when, through what, and what he saw.
CREATE TABLE stock_answer (
    id                uuid PRIMARY KEY,
    shop_id           smallint NOT NULL REFERENCES shop,
    stock_request_id  uuid NOT NULL REFERENCES stock_request ON DELETE CASCADE,
    contact_id        uuid REFERENCES contact ON DELETE SET NULL,
    label             text NOT NULL DEFAULT '',
    name              text NOT NULL DEFAULT '',
    via               text NOT NULL,
    lines             jsonb NOT NULL,
    seen              jsonb NOT NULL,
    result            jsonb NOT NULL,
    at                timestamptz NOT NULL
);
CREATE INDEX stock_answer_request ON stock_answer (stock_request_id, id);
CREATE INDEX stock_answer_contact ON stock_answer (contact_id) WHERE contact_id IS NOT NULL;

-- By which notifications who was asked; step 0: at first.
CREATE TABLE stock_message (
    stock_request_id  uuid NOT NULL REFERENCES stock_request ON DELETE CASCADE,
    notification_id   uuid NOT NULL,
    shop_id           smallint NOT NULL REFERENCES shop,
    contact_id        uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    step              smallint NOT NULL,
    channel           text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stock_request_id, notification_id)
);
CREATE INDEX stock_message_contact ON stock_message (contact_id);

-- "Make it ready": one for each (seller, warehouse) of a paid order.
CREATE TABLE assembly (
    id               uuid PRIMARY KEY,
    shop_id          smallint NOT NULL REFERENCES shop,
    order_id         uuid NOT NULL REFERENCES shop_order ON DELETE CASCADE,
    seller_id        uuid REFERENCES contact ON DELETE SET NULL,
    warehouse_id     uuid REFERENCES warehouse,
    status           text NOT NULL DEFAULT 'open',
    seller_asked     boolean NOT NULL DEFAULT false,
    opened_at        timestamptz NOT NULL,
    assembled_at     timestamptz,
    assembled_by     uuid REFERENCES contact ON DELETE SET NULL,
    assembled_label  text NOT NULL DEFAULT '',
    assembled_name   text NOT NULL DEFAULT '',
    via              text,
    updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assembly_order ON assembly (order_id, id);
CREATE INDEX assembly_at ON assembly (warehouse_id, opened_at, id) WHERE status = 'open';
CREATE INDEX assembly_with ON assembly (seller_id, opened_at, id) WHERE status = 'open';
CREATE INDEX assembly_seller ON assembly (seller_id) WHERE seller_id IS NOT NULL;
CREATE INDEX assembly_assembled_by ON assembly (assembled_by) WHERE assembled_by IS NOT NULL;

CREATE TABLE assembly_message (
    assembly_id      uuid NOT NULL REFERENCES assembly ON DELETE CASCADE,
    notification_id  uuid NOT NULL,
    shop_id          smallint NOT NULL REFERENCES shop,
    contact_id       uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (assembly_id, notification_id)
);
CREATE INDEX assembly_message_contact ON assembly_message (contact_id);

-- {"kind": "stock"|"assembly", "id": "…"}: the message is a question, and what it shows is the present state.
ALTER TABLE notification ADD COLUMN interaction jsonb;
