-- What a cascade's requests add: their task, and what the large model alone would have cost (-1: unknown).
-- All other requests say nothing here, and the index holds none of them.
ALTER TABLE records ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN large_cost_nanos INTEGER NOT NULL DEFAULT -1;
CREATE INDEX records_task ON records (task, id) WHERE task <> '';
