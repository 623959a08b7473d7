-- The account is not in it: it is chosen when a call begins, and a row in which nothing changes that stands in an index is
-- written in place.
CREATE INDEX delivery_told ON delivery (provider_id) WHERE provider_id IS NOT NULL;
DROP INDEX delivery_provider_id;
