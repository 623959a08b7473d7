-- Events are taken source by source: one that is slow or paused, with however much that waits, is not looked through again
-- and again for the others. The first condition: the platform has to be asked, which it is not while it is paused.
CREATE INDEX shop_event_next ON shop_event (source_id, (payload IS NULL OR via = 'write'), due_at, id) WHERE result = 'waiting';
DROP INDEX shop_event_due;
