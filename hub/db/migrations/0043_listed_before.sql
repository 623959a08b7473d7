-- What finds a notification by its status and by its end, once those that were there before have it (`hub.db.moves`). The
-- version before looks for notification_rare and notification_expires; `hub.db.retired` takes them away when it is gone.
CREATE INDEX notification_listed ON notification (shop_id, listed, id) WHERE listed IS NOT NULL;
CREATE INDEX notification_ends ON notification (ends_at) WHERE ends_at IS NOT NULL;
-- Whatever was ever to be sent later: that does not change when it leaves.
CREATE INDEX notification_scheduled ON notification (shop_id, id) WHERE send_at IS NOT NULL OR held_until IS NOT NULL;
