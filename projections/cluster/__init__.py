"""A replay by many workers: the same function over buckets of places, wherever it runs, and the same bytes."""
