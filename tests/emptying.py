"""A database as it was after its migration, for the next test."""

from hub.db.pool import Db

# In one round trip, and only what holds something: TRUNCATE makes new files for a table and each of its indexes and
# what hangs on it, ten times the work of deleting a handful of rows. What has grown is truncated all the same, and
# what was counted by ANALYZE: its numbers in pg_class would go on to shape the plans of the next test.
_EMPTY = """
DO $$
DECLARE
  used text[];
  large text;
  one text;
BEGIN
  SET LOCAL session_replication_role = replica;  -- No foreign keys looked at, no triggers.
  SELECT array_agg(oid::regclass::text) INTO used
    FROM pg_class
   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
     AND relname NOT IN ('schema_step', 'shop') AND pg_relation_size(oid) > 0;
  IF used IS NULL THEN
    RETURN;
  END IF;
  -- As TRUNCATE does, it waits for what a connection of the last test may still be writing.
  EXECUTE 'LOCK TABLE ' || array_to_string(used, ', ');
  SELECT string_agg(name, ', ') INTO large
    FROM unnest(used) AS name JOIN pg_class AS c ON c.oid = name::regclass
   WHERE c.relpages > 0 OR pg_table_size(c.oid) > 262144;
  IF large IS NOT NULL THEN
    EXECUTE 'TRUNCATE ' || large || ' CASCADE';
  END IF;
  FOREACH one IN ARRAY used LOOP
    IF pg_relation_size(one::regclass) > 0 THEN
      EXECUTE 'DELETE FROM ' || one;
    END IF;
  END LOOP;
END $$
"""


async def empty(db: Db) -> None:
    """All tables but those that the migration and the settings fill. For a superuser, as the tests' servers have."""
    await db.execute(_EMPTY)
