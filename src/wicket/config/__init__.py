"""wicket.toml: validated as a whole, frozen, compiled once, swapped whole on reload."""
