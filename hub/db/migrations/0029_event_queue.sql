-- Events are taken source by source: one that is slow or paused, with however much that waits, is not looked through again
-- and again for the others. The first condition: the platform has to be asked, which it is not while it is paused. The first
-- try of what we tell it is none of these: something here may wait for it, and that goes on.
CREATE INDEX shop_event_next ON shop_event (source_id, (payload IS NULL OR via = 'write' AND tries > 0), due_at, id)
 WHERE result = 'waiting';
DROP INDEX shop_event_due;
