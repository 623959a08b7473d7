-- What became of deliveries, counted: the statistics read these rows and never the deliveries. hour: in which it was
-- handed over, else made; here the first one of a day of the shop. template '': the content came with the request.
-- doubtful: nobody knows whether it went out. withdrawn: suppressed, collapsed or cancelled. timed: those of which the
-- time to hand-over is known; quick: within 10 seconds, soon: within a minute; waited: the seconds of all of them.
CREATE TABLE delivery_day (
    shop_id    smallint NOT NULL,
    hour       timestamptz NOT NULL,
    channel    text NOT NULL,
    category   text NOT NULL,
    provider   text NOT NULL,
    account    text NOT NULL,
    template   text NOT NULL,
    made       int NOT NULL,
    sent       int NOT NULL,
    delivered  int NOT NULL,
    read       int NOT NULL,
    clicked    int NOT NULL,
    failed     int NOT NULL,
    doubtful   int NOT NULL,
    expired    int NOT NULL,
    withdrawn  int NOT NULL,
    waiting    int NOT NULL,
    timed      int NOT NULL,
    quick      int NOT NULL,
    soon       int NOT NULL,
    waited     double precision NOT NULL,
    cost       numeric NOT NULL
);
CREATE INDEX delivery_day_shop ON delivery_day (shop_id, hour);

-- Why some of them did not arrive, or wait. delivery_id: the latest of them, whose attempts hold the provider's words.
CREATE TABLE delivery_day_error (
    shop_id      smallint NOT NULL,
    hour         timestamptz NOT NULL,
    channel      text NOT NULL,
    category     text NOT NULL,
    provider     text NOT NULL,
    account      text NOT NULL,
    template     text NOT NULL,
    status       text NOT NULL,
    reason       text NOT NULL,
    code         text NOT NULL,
    deliveries   int NOT NULL,
    delivery_id  uuid NOT NULL
);
CREATE INDEX delivery_day_error_shop ON delivery_day_error (shop_id, hour);

-- The same by the hour, as long as something may still become of them. made_hour: in which the deliveries were made,
-- all of whose rows are written anew together.
CREATE TABLE delivery_hour (made_hour timestamptz NOT NULL, LIKE delivery_day);
CREATE INDEX delivery_hour_shop ON delivery_hour (shop_id, hour);
CREATE INDEX delivery_hour_made ON delivery_hour (made_hour);
CREATE TABLE delivery_hour_error (made_hour timestamptz NOT NULL, LIKE delivery_day_error);
CREATE INDEX delivery_hour_error_shop ON delivery_hour_error (shop_id, hour);
CREATE INDEX delivery_hour_error_made ON delivery_hour_error (made_hour);

-- Which hours are counted, and when they last were.
CREATE TABLE delivery_hour_counted (
    made_hour   timestamptz PRIMARY KEY,
    counted_at  timestamptz NOT NULL
);

-- Up to where the days of a shop are put together out of their hours. hours_since: hours before that are gone.
CREATE TABLE delivery_day_until (
    shop_id      smallint PRIMARY KEY REFERENCES shop,
    until        timestamptz NOT NULL,
    hours_since  timestamptz
);
