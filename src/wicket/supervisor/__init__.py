"""Sockets, workers, engines, the one ledger writer, reload and rolling restarts."""
