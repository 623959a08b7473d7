-- A contact without an external_id is the receiver of one-off messages: known by an address only.
CREATE TABLE contact (
    id           uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    external_id  text,
    role         text NOT NULL DEFAULT 'buyer',
    name         text NOT NULL DEFAULT '',
    locale       text,
    timezone     text,
    attributes   jsonb NOT NULL DEFAULT '{}',
    preferences  jsonb NOT NULL DEFAULT '{}',
    warehouses   text[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, external_id)
);
CREATE INDEX contact_shop ON contact (shop_id, id) WHERE external_id IS NOT NULL;
CREATE INDEX contact_warehouses ON contact USING gin (warehouses) WHERE warehouses <> '{}';

-- kind: email, phone, telegram, vk, max, push. digest: sha256 of "kind:value", by which an address is found
-- and a suppression remembered after the address itself was erased.
CREATE TABLE address (
    id          uuid PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    contact_id  uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    kind        text NOT NULL,
    value       text NOT NULL,
    digest      bytea NOT NULL,
    provider    text,
    verified    boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX address_one_each ON address (contact_id, kind) WHERE kind <> 'push';
CREATE UNIQUE INDEX address_devices ON address (contact_id, digest) WHERE kind = 'push';
CREATE INDEX address_found ON address (shop_id, digest);

CREATE TABLE consent (
    contact_id  uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    category    text NOT NULL,
    channel     text NOT NULL,
    state       text NOT NULL,
    source      text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (contact_id, category, channel)
);

-- An address not to be written to on a channel. The digest outlives the address.
CREATE TABLE suppression (
    shop_id      smallint NOT NULL REFERENCES shop,
    channel      text NOT NULL,
    digest       bytea NOT NULL,
    reason       text NOT NULL,
    code         text NOT NULL DEFAULT '',
    delivery_id  uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop_id, digest, channel)
);

-- "Whoever opens this link is that contact": once, and for a while.
CREATE TABLE contact_link (
    digest      bytea PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    contact_id  uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    channel     text NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX contact_link_age ON contact_link (expires_at);
