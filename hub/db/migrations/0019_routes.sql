-- What a delivery waits for: its channel, the kind and the provider of its address, and whether its plan has another
-- channel behind it. Those that wait for the same accounts are passed over, or handed out at their pace, as a whole.
-- Empty: written by a version that did not know it yet.
ALTER TABLE delivery ADD COLUMN route text NOT NULL DEFAULT '';
CREATE INDEX delivery_route ON delivery (shop_id, category, route, handout_at) WHERE status = 'queued';

-- Those that somebody looks for among very many others.
CREATE INDEX notification_rare ON notification (shop_id, status, id)
    WHERE status IN ('scheduled', 'failed', 'unknown', 'expired', 'undeliverable', 'cancelled', 'collapsed');
