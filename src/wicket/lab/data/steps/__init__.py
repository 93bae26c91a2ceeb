"""One step a file: each has `Options`, `VERSION`, `SCOPE` and `apply` (see `wicket.lab.data.step`)."""
