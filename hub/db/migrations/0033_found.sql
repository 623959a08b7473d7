-- The console finds messages by the number of the order that they are about: who writes in names it first.
CREATE INDEX notification_about_order ON notification (shop_id, (data #>> '{order,number}'), id)
    WHERE (data #>> '{order,number}') IS NOT NULL;

-- People by the beginnings of their names' words, in any order.
CREATE INDEX contact_name ON contact USING gin (to_tsvector('simple', lower(name)))
    WHERE external_id IS NOT NULL AND name <> '';

-- What platforms said of a person, the newest first.
CREATE INDEX shop_event_told_of ON shop_event (contact_id, id) WHERE contact_id IS NOT NULL;
DROP INDEX shop_event_contact;
