-- An attempt is written once, before its call, and with it what the delivery is told only when the call is over: should the
-- worker die in between, it is taken from here.
ALTER TABLE attempt ADD COLUMN batch_key uuid;
COMMENT ON COLUMN attempt.number IS 'how many were before it; of versions before this step, it was counted, too';
COMMENT ON COLUMN attempt.outcome IS
    'null while the delivery is being sent; and of one that the provider took, where the delivery''s sent_at is its end';
