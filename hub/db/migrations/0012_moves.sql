-- Another account than the first choice made the call: which one that was, and why not it. Null: the first choice.
ALTER TABLE attempt ADD COLUMN instead_of jsonb;
