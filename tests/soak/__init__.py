"""`make soak`: the product at work while its processes, servers and providers are killed, and the proof that nothing
was lost."""
