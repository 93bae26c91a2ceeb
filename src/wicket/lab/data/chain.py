"""Steps one after the other: (manifest, shard) → (manifest, shard), each kept in a folder named by its hash.

`transform` is pure and needs nothing but its arguments: a distributed engine may carry it. `run` adds the
folders, so that a finished step is not done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.lab.data.document import Shard, excerpt, from_bytes, sha256, to_bytes
from wicket.lab.data.folder import write_folder
from wicket.lab.data.manifest import Manifest, Shown, StepReport
from wicket.lab.data.step import AGAINST, Asked, Outcome, Removed, module, options_of
from wicket.wire import json

SHARD = "shard.jsonl"
REMOVED = "removed.jsonl"
REPORT = "step.json"
FOLDER = "steps"
NUM_SHOWN = 5

Tell = Callable[[StepReport, bool], None]  # a finished step, and whether it was found done


def key_of(asked: Asked, shard_sha256: str, evaluation_sha256: str) -> str:
    """The hash of all that a step's result depends on."""
    beside = evaluation_sha256 if asked.name == AGAINST else ""
    options = msgspec.to_builtins(options_of(asked))
    return sha256(json.encode_sorted([asked.name, module(asked.name).VERSION, options, shard_sha256, beside]))


def transform(
    asked: Asked, manifest: Manifest, shard: Shard, evaluation: Shard = ()
) -> tuple[Manifest, Shard, Sequence[Removed]]:
    """One step. Returns what was removed as well. Raises `CallerFault` for options that can't be."""
    outcome = module(asked.name).apply(shard, options_of(asked), evaluation)
    digest = sha256(to_bytes(evaluation)) if asked.name == AGAINST else ""
    report = _report(asked, key_of(asked, manifest.sha256, digest), len(shard), outcome)
    return _with(manifest, report), outcome.kept, outcome.removed


def run(
    steps: Sequence[Asked],
    manifest: Manifest,
    shard: Shard,
    *,
    evaluation: Shard = (),
    folder: Path | None = None,
    tell: Tell | None = None,
) -> tuple[Manifest, Shard]:
    """All steps. With a `folder`, one that was finished there before is read instead of done.

    Raises `OperatorFault` for a disk that can't be written.
    """
    for asked in steps:  # a mistake in the last step's options must not cost the first one's time
        options_of(asked)
    evaluation_sha256 = sha256(to_bytes(evaluation))
    for asked in steps:
        place = None
        if folder is not None:
            place = folder / FOLDER / f"{key_of(asked, manifest.sha256, evaluation_sha256)[:32]}-{asked.name}"
        found = _load(place) if place is not None else None
        if found is not None:
            report, shard = found
            manifest = _with(manifest, report)
        else:
            manifest, shard, removed = transform(asked, manifest, shard, evaluation)
            report = manifest.steps[-1]
            if place is not None:
                write_folder(place, _files(report, shard, removed))
        if tell is not None:
            tell(report, found is not None)
    return manifest, shard


def _with(manifest: Manifest, report: StepReport) -> Manifest:
    return msgspec.structs.replace(
        manifest, steps=(*manifest.steps, report), num_documents=report.num_after, sha256=report.sha256
    )


def _report(asked: Asked, key: str, num_before: int, outcome: Outcome) -> StepReport:
    options: dict[str, Any] = json.decode(json.encode(options_of(asked)))  # as it is read again
    return StepReport(
        name=asked.name,
        version=module(asked.name).VERSION,
        key=key,
        options=options,
        num_before=num_before,
        num_after=len(outcome.kept),
        num_removed=len(outcome.removed),
        sha256=sha256(to_bytes(outcome.kept)),
        num_changed=outcome.num_changed,
        num_added=outcome.num_added,
        reasons=dict(sorted(Counter(each.reason for each in outcome.removed).items())),
        found=dict(sorted(outcome.found.items())),
        shown=_shown(outcome.removed),
    )


def _shown(removed: Sequence[Removed]) -> tuple[Shown, ...]:
    """The first few of every reason."""
    seen: Counter[str] = Counter()
    shown = []
    for each in removed:
        seen[each.reason] += 1
        if seen[each.reason] <= NUM_SHOWN:
            shown.append(Shown(each.document.origin, each.reason, each.where, excerpt(each.document)))
    return tuple(shown)


def _files(report: StepReport, shard: Shard, removed: Sequence[Removed]) -> dict[str, bytes]:
    return {
        SHARD: to_bytes(shard),
        REMOVED: b"".join(json.encode(each) + b"\n" for each in removed),
        REPORT: json.dumps(report).encode() + b"\n",
    }


def _load(place: Path) -> tuple[StepReport, Shard] | None:
    """A finished step; None if there is none, or it is not what it was."""
    try:
        report = json.decode((place / REPORT).read_bytes(), type=StepReport)
        data = (place / SHARD).read_bytes()
        if sha256(data) != report.sha256:
            return None
        return report, from_bytes(data)
    except (OSError, json.DecodeError):
        return None
