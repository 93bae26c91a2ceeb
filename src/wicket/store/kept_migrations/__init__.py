"""Steps of the examples' database, forward only; the n-th makes version n."""
