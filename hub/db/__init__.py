"""PostgreSQL: the pool, the migrations, the partitions."""
