"""Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Sequence[tuple[str, str]]
Sample = tuple[str, Labels, str]  # suffix of the name, labels, value

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_ESCAPED_HELP = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> str:
    """A metric with its HELP and TYPE lines; empty without samples."""
    lines = [f"{name}{suffix}{_braced(labels)} {value}" for suffix, labels, value in samples]
    if not lines:
        return ""
    head = [f"# HELP {name} {meaning.translate(_ESCAPED_HELP)}", f"# TYPE {name} {kind}"]
    return "\n".join(head + lines) + "\n"


def decimal(number: int, scale: int) -> str:
    """`number / 10**scale` as exact decimal text, e.g. microseconds as seconds with scale 6."""
    whole, rest = divmod(abs(number), 10**scale)
    text = f"{whole}.{rest:0{scale}d}".rstrip("0").rstrip(".")
    return f"-{text}" if number < 0 else text


def histogram(labels: Labels, bounds: Sequence[str], counts: Sequence[int], total: str) -> list[Sample]:
    """The samples of one histogram; `counts` has one more place than `bounds`, for what exceeds them all."""
    samples: list[Sample] = []
    running = 0
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        running += count
        samples.append(("_bucket", (*labels, ("le", bound)), str(running)))
    samples.append(("_sum", labels, total))
    samples.append(("_count", labels, str(running)))
    return samples


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels) + "}"
