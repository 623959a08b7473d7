-- A notification that leaves is written in its place: no index names its status any more. What lists and the end of a
-- message's time look for stands in columns of their own, which hardly any message changes on its way.
-- listed: the status, where only few have it. ends_at: when it expires, as long as it is not yet gone.
ALTER TABLE notification ADD COLUMN listed text, ADD COLUMN ends_at timestamptz;

-- Whoever writes many sets both; for everybody else, and for roles of earlier versions, they are set here.
CREATE FUNCTION notification_listed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notification
       SET listed = CASE WHEN status IN ('failed', 'unknown', 'expired', 'undeliverable', 'cancelled', 'collapsed')
                    THEN status END,
           ends_at = CASE WHEN status IN ('scheduled', 'queued') THEN expires_at END
     WHERE id = NEW.id;
    RETURN NULL;
END $$;

-- Not before: PostgreSQL would lock each row by itself, and copy no rows in together.
CREATE TRIGGER notification_listed AFTER INSERT OR UPDATE ON notification FOR EACH ROW
  WHEN (NEW.listed IS DISTINCT FROM
            CASE WHEN NEW.status IN ('failed', 'unknown', 'expired', 'undeliverable', 'cancelled', 'collapsed')
            THEN NEW.status END
        OR NEW.ends_at IS DISTINCT FROM CASE WHEN NEW.status IN ('scheduled', 'queued') THEN NEW.expires_at END)
  EXECUTE FUNCTION notification_listed();
