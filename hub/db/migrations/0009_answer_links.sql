-- Links to the page where a question can be answered without a messenger. A row and not a token that carries
-- everything: the link has to fit into one SMS beside the question.
CREATE TABLE answer_link (
    digest      bytea PRIMARY KEY,
    shop_id     smallint NOT NULL REFERENCES shop,
    kind        text NOT NULL,
    about       uuid NOT NULL,
    contact_id  uuid NOT NULL REFERENCES contact ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX answer_link_contact ON answer_link (contact_id);
CREATE INDEX answer_link_age ON answer_link (expires_at);
