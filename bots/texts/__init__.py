"""Everything the bots say, a module per language."""
