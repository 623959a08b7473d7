"""The worker process: arq loops, one per lane, and the tick."""
