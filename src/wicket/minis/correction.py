"""What the user's own feedback on a local model adds to the router. Pure.

`capabilities/MODEL.feedback.json` in the data folder, beside the model's capability card.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wicket.errors import OperatorFault
from wicket.minis.capability import file_name
from wicket.minis.router import Router

VERSION = 1
LIMIT = 1.0  # deviations: a few pieces of feedback say nothing of questions far from what was asked


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """In logits: a weight for each signal, and a bias. `names` are the router's, `created_ms` Unix time."""

    version: int = VERSION
    model: str
    created_ms: int
    names: list[str]
    weights: list[float]
    bias: float
    num_feedback: int


_decode = msgspec.json.Decoder(Correction).decode


def correction_name(model: str) -> str:
    """The name of a model's file, as safe as its card's."""
    return f"{file_name(model).removesuffix('.json')}.feedback.json"


def read_correction(data: bytes) -> Correction:
    """The correction in a file's bytes. Raises `OperatorFault` for a damaged one or another version."""
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OperatorFault("bad_correction", f"Feedback's correction can't be read ({error}).") from None
    if found.version != VERSION or len(found.weights) != len(found.names):
        raise OperatorFault("bad_correction", "Feedback's correction has another form: make it anew.")
    return found


def limited(router: Router, found: Mapping[str, float]) -> list[float]:
    """The signals as a correction weighs them, in the order of the router's names."""
    return [
        max(-LIMIT, min(LIMIT, (found[name] - mean) / deviation))
        for name, mean, deviation in zip(router.names, router.means, router.deviations, strict=True)
    ]


def corrected(router: Router, correction: Correction, found: Mapping[str, float]) -> float:
    """What feedback adds to a question's logit; nothing if it was made for other signals."""
    if correction.names != router.names:
        return 0.0
    pairs = zip(correction.weights, limited(router, found), strict=True)
    return correction.bias + sum(weight * value for weight, value in pairs)
