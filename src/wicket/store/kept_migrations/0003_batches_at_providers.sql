-- Of batches that a provider runs: the model's name as the caller has it, and the provider's id of the batch.
ALTER TABLE batches ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN remote TEXT NOT NULL DEFAULT '';
