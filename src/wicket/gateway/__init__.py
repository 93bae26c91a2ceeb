"""The request path: call, admit, walk, drive, relay, settle, record."""
