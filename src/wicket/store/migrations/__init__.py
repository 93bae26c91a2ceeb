"""The schema, as forward-only steps: `NNNN_what.sql` brings a database from version NNNN - 1 to NNNN."""
