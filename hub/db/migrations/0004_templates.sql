-- A shop's own texts: every version that was ever stored, the newest of a variant in force.
-- deleted: from this version on the built-in text counts again. Rows are only added, under a lock of the
-- table, so that ids come to light in their order and "what is newer than id" misses nothing.
CREATE TABLE template_version (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    name        text NOT NULL,
    channel     text NOT NULL,
    locale      text NOT NULL,
    audience    text NOT NULL,
    number      int NOT NULL,
    category    text NOT NULL,
    subject     text NOT NULL DEFAULT '',
    text        text NOT NULL DEFAULT '',
    html        text NOT NULL DEFAULT '',
    deleted     boolean NOT NULL DEFAULT false,
    author      text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (shop_id, name, channel, locale, audience, number)
);
