"""The benchmark itself: what it compares with is what it says."""
