-- Which attempts were one call, where the provider recognises a repeat of the whole call only.
ALTER TABLE attempt ADD COLUMN call_id uuid, ADD COLUMN call_size int;
