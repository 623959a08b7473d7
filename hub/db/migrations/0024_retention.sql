-- What stays of deliveries when their rows are too old to be kept: how many there were, and what they cost.
CREATE TABLE delivery_total (
    shop_id     smallint NOT NULL REFERENCES shop,
    month       date NOT NULL,
    channel     text NOT NULL,
    category    text NOT NULL,
    provider    text NOT NULL,
    status      text NOT NULL,
    deliveries  bigint NOT NULL,
    cost        numeric NOT NULL,
    PRIMARY KEY (shop_id, month, channel, category, provider, status)
);

-- Since when an order knows nobody any more, because it is old; null: not yet.
ALTER TABLE shop_order ADD COLUMN forgotten_at timestamptz;
CREATE INDEX shop_order_to_forget ON shop_order (shop_id, updated_at) WHERE forgotten_at IS NULL;

-- Receivers of one-off messages go when nothing is kept any more of what they were sent.
CREATE INDEX contact_one_off ON contact (shop_id, id) WHERE external_id IS NULL;
