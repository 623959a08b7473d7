-- What was due when a backup was restored and waits for somebody's word: the hub that was lost may have sent it.
CREATE TABLE held_delivery (
    delivery_id  uuid PRIMARY KEY,
    shop_id      smallint NOT NULL REFERENCES shop,
    due_at       timestamptz NOT NULL,
    -- From then on it is not worth telling any more.
    outlived_at  timestamptz NOT NULL
);
CREATE INDEX held_delivery_outlived ON held_delivery (outlived_at);

-- A cascade that would have gone on to its next channel.
CREATE TABLE held_step (
    notification_id  uuid PRIMARY KEY,
    shop_id          smallint NOT NULL REFERENCES shop,
    step_at          timestamptz NOT NULL,
    outlived_at      timestamptz NOT NULL
);
CREATE INDEX held_step_outlived ON held_step (outlived_at);
