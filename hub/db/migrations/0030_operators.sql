-- Who signs in to the console. login: an e-mail address in lower case. totp_secret: sealed; totp_used: the last step
-- whose code was taken, so that none is good twice. recovery: digests of the codes not used yet.
CREATE TABLE operator (
    id             uuid PRIMARY KEY,
    login          text NOT NULL UNIQUE,
    name           text NOT NULL DEFAULT '',
    password_hash  text NOT NULL,
    totp_secret    bytea,
    totp_used      bigint NOT NULL DEFAULT 0,
    recovery       bytea[] NOT NULL DEFAULT '{}',
    locale         text NOT NULL DEFAULT 'ru',
    timezone       text,
    theme          text NOT NULL DEFAULT 'auto',
    disabled_at    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- also, without: rights given or taken beside those of the role.
CREATE TABLE operator_shop (
    operator_id  uuid NOT NULL REFERENCES operator ON DELETE CASCADE,
    shop_id      smallint NOT NULL REFERENCES shop,
    role         text NOT NULL,
    also         text[] NOT NULL DEFAULT '{}',
    without      text[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (operator_id, shop_id)
);
CREATE INDEX operator_shop_shop ON operator_shop (shop_id);

-- Of a session's token only the digest is kept.
CREATE TABLE operator_session (
    id            uuid PRIMARY KEY,
    operator_id   uuid NOT NULL REFERENCES operator ON DELETE CASCADE,
    token_digest  bytea NOT NULL UNIQUE,
    csrf          text NOT NULL,
    remote        text NOT NULL DEFAULT '',
    agent         text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);
CREATE INDEX operator_session_operator ON operator_session (operator_id);
CREATE INDEX operator_session_end ON operator_session (expires_at);

-- Links that open once. operator_id: sets that one's password anew; else it makes an operator, or gives a shop to one
-- who is there. shop_id null: all shops of the settings.
CREATE TABLE operator_invite (
    digest       bytea PRIMARY KEY,
    shop_id      smallint REFERENCES shop,
    role         text NOT NULL,
    also         text[] NOT NULL DEFAULT '{}',
    without      text[] NOT NULL DEFAULT '{}',
    login        text,
    operator_id  uuid REFERENCES operator ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX operator_invite_end ON operator_invite (expires_at);

-- Wrong sign-ins of the last minutes. key: made of the login or the address, which it does not tell.
CREATE TABLE operator_try (
    id   uuid PRIMARY KEY,
    key  bytea NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX operator_try_key ON operator_try (key, at);
CREATE INDEX operator_try_age ON operator_try (at);
