"""One file per policy: order(candidates, facts)."""
