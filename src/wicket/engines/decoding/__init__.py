"""How tokens come out of a graph: scheduling, cache, sampling, constraints, the graphs themselves."""
