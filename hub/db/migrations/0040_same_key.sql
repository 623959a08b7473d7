-- Of each message that is to leave it is asked whether a newer one of its key has come, whatever became of that since: by an
-- index of those only that wait, all that the person was told later would be read for it.
CREATE INDEX notification_key ON notification (contact_id, collapse_key, id) WHERE collapse_key IS NOT NULL;
DROP INDEX notification_collapse;
