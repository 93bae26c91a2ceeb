-- What a request used beside plain tokens (JSON, NULL for nothing): audio, images, characters, searches, an
-- hour's cache, and the tier that the provider served it in.
ALTER TABLE records ADD COLUMN other_usage TEXT;
