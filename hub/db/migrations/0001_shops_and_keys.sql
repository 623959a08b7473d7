CREATE TABLE shop (
    id          smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Of a key only the hash of its secret part is kept.
CREATE TABLE api_key (
    id            uuid PRIMARY KEY,
    shop_id       smallint NOT NULL REFERENCES shop,
    name          text NOT NULL DEFAULT '',
    prefix        text NOT NULL UNIQUE,
    digest        bytea NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX api_key_shop ON api_key (shop_id, id);

-- What was answered to a request with an Idempotency-Key: written in the transaction of what it did.
CREATE TABLE idempotency (
    shop_id      smallint NOT NULL REFERENCES shop,
    path         text NOT NULL,
    key          text NOT NULL,
    fingerprint  bytea NOT NULL,
    status       smallint NOT NULL,
    body         bytea NOT NULL,
    contacts     uuid[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop_id, path, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
