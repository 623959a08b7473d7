"""The hub's own PostgreSQL and Redis, for those who give no URLs: real servers, kept in the data folder."""
