-- What lay in the parcel when the place said that it was packed, [{"id", "sku", "title", "quantity"}, ...]: of an order
-- that changes afterwards, only who knows this can be told what to change. null: not packed yet, or not known.
ALTER TABLE assembly ADD COLUMN packed jsonb;
