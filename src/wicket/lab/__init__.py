"""Makes a small model from a large one: curates, trains, exports, evaluates. Runs in processes of its own."""
