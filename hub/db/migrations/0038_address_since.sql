-- An address keeps its row when its value changes: what a provider says of a message that went to the former value is not
-- said of the present one. Since when it has this one; null: from the beginning, or written by a version that did not know.
ALTER TABLE address ADD COLUMN value_since timestamptz;
