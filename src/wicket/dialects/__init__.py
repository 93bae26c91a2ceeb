"""One file per provider protocol, without I/O."""
