"""What of the environment a worker gets: everything but what looks like a secret.

Workers are sent the credentials they need with the configuration; nobody needs to find more lying about.
(An engine, which runs chat templates of strangers, gets a short list only: `engines.launch.environment`.)
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
