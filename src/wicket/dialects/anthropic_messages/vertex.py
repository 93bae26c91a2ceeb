"""The Messages API as Vertex AI has it: the model in the path, the version in the body.

Source: "Claude on Vertex AI", Claude's documentation, and the Vertex client of Anthropic's SDK for Python.
"""

from __future__ import annotations

import re

from wicket.routing.deployment import Deployment

VERSION = "vertex-2023-10-16"
_PUBLISHER = "/publishers/anthropic"
_COUNTER = "count-tokens"
_UNSAFE = re.compile(rb"[^A-Za-z0-9._~@-]")


def is_vertex(deployment: Deployment) -> bool:
    """Whether a deployment is asked so: its base path names the publisher."""
    return deployment.base_path.endswith(_PUBLISHER)


def vertex_target(deployment: Deployment, *, streamed: bool, counts: bool) -> str:
    """The path of one call; counting has a name of its own in the model's place."""
    verb = "streamRawPredict" if streamed else "rawPredict"
    model = _COUNTER if counts else _escaped(deployment.model)
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}/models/{model}:{verb}{query}"


def _escaped(model: str) -> str:
    """One step of a path: the name is a caller's, and goes into a request line."""
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], model.encode()).decode()
