-- Since when a rule that waits fails by a bug, each time it is tried; null: it has not been tried, or was put anew since.
ALTER TABLE rule_timer ADD COLUMN failing_since timestamptz;
