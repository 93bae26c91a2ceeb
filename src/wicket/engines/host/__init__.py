"""The process in front of an engine: HTTP over a Unix socket, queue, templates, tools."""
