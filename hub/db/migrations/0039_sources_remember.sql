-- A cart that was bought or deleted stays known for a while, with nothing but that it is over: what the platform said of it
-- before and comes late must not be told as news. Its row goes by this index.
CREATE INDEX source_object_over ON source_object (deleted_at) WHERE kind = 'cart' AND deleted_at IS NOT NULL;

-- Why the platform refuses what it is told, until it takes something: that it can be read meanwhile says nothing of it.
ALTER TABLE source ADD COLUMN write_problem text NOT NULL DEFAULT '';
