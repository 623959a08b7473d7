-- A link can be typed, too: its short code has a digest of its own, made with a key, since a short code could be
-- found from a plain one. Links from before have none.
ALTER TABLE contact_link ADD COLUMN code_digest bytea UNIQUE;
ALTER TABLE warehouse_link ADD COLUMN code_digest bytea UNIQUE;

-- Codes that bound nobody, by the digest of the address that typed them: who has guessed often must wait.
CREATE TABLE code_guess (
    shop_id      smallint NOT NULL REFERENCES shop,
    digest       bytea NOT NULL,
    code_digest  bytea NOT NULL,
    guessed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop_id, digest, code_digest)
);
CREATE INDEX code_guess_age ON code_guess (guessed_at);
