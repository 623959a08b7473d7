-- Every question about a person starts from the contact, and erasing one must not read whole tables.
CREATE INDEX address_contact ON address (contact_id);
CREATE INDEX contact_link_contact ON contact_link (contact_id);

-- On which channels an address is suppressed is asked of every address of every plan.
CREATE INDEX suppression_digest ON suppression (digest);

-- One anonymous contact per address: who gets a second one-off message is the same person.
ALTER TABLE address ADD COLUMN one_off boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX address_one_off ON address (shop_id, digest) WHERE one_off;

-- What messengers told a bot, stored before they were answered. event: Telegram's update_id, VK's event_id.
-- chat: whom it concerns; updates of one chat are handled in the order of id.
CREATE TABLE bot_update (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    account      text NOT NULL,
    event        text NOT NULL,
    chat         text NOT NULL,
    raw          jsonb NOT NULL,
    failures     smallint NOT NULL DEFAULT 0,
    received_at  timestamptz NOT NULL DEFAULT now(),
    handled_at   timestamptz,
    UNIQUE (shop_id, account, event)
);
CREATE INDEX bot_update_waiting ON bot_update (shop_id, account, id) WHERE handled_at IS NULL;
CREATE INDEX bot_update_chat ON bot_update (shop_id, chat);
CREATE INDEX bot_update_age ON bot_update (received_at);

-- Up to where an account was read: Telegram's offset, VK's ts.
CREATE TABLE bot_cursor (
    shop_id  smallint NOT NULL REFERENCES shop,
    account  text NOT NULL,
    cursor   text NOT NULL,
    PRIMARY KEY (shop_id, account)
);
