"""The inference routes' protocol, the administration app, errors to HTTP."""
