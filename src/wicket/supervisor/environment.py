"""What of the environment a child process gets: everything but what looks like a secret.

Workers are sent the credentials they need, and an engine runs chat templates of strangers; neither needs
to find keys lying about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_HARMLESS = frozenset({"TOKENIZERS_PARALLELISM"})


def for_child(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what looks like a secret by its name."""
    kept = {name: text for name, text in environ.items() if name in _HARMLESS or not _SECRET.search(name)}
    kept["PYTHONUNBUFFERED"] = "1"
    return kept
