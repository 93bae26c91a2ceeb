-- What a request used beside plain tokens (JSON, NULL for nothing): audio, images, characters, searches, an
-- hour's cache, and the tier that the provider served it in; and what it was expected to cost (-1: unknown).
ALTER TABLE records ADD COLUMN other_usage TEXT;
ALTER TABLE records ADD COLUMN estimate_nanos INTEGER NOT NULL DEFAULT -1;

-- The sums keep what pruned records took with them: the other kinds, and what the largest models alone would
-- have cost, where that is known; where it is not, a request counts as having cost that.
ALTER TABLE usage_daily ADD COLUMN cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN audio_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN image_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN images INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN audio_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN characters INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN large_only_nanos INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN large_unknown INTEGER NOT NULL DEFAULT 0;

UPDATE usage_daily SET large_only_nanos = cost_nanos, large_unknown = requests;
