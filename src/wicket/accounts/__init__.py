"""Keys, cost, usage and the record of a request: decisions about money, synchronous and without I/O."""
