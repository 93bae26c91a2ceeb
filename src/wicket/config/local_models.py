"""The local models that an engine may name, and what an engine's table comes to."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

from wicket.config.schema import Engine, EngineTable

GENERATION = "smollm2-135m-instruct"
EMBEDDING = "all-minilm-l6-v2"
KNOWN = (GENERATION, EMBEDDING)

_EMBEDS = re.compile(r"embed|minilm|(?:^|[-_/])(?:bge|e5|gte)[-_]", re.IGNORECASE)
_LABEL = re.compile(r"[^A-Za-z0-9._:+-]+")


def defaults() -> dict[str, Engine]:
    """What runs without a configuration file."""
    return {
        "compact": resolve_engine("compact", EngineTable(model=GENERATION), FilePath()),
        "embed": resolve_engine("embed", EngineTable(model=EMBEDDING), FilePath()),
    }


def is_bare_name(model: str) -> bool:
    """Whether the text is a name, not a path, a hub repository or `run:NAME`."""
    return not (
        "/" in model or "\\" in model or model.endswith(".gguf") or model.startswith(("run:", "~", "."))
    )


def resolve_engine(name: str, table: EngineTable, base: FilePath) -> Engine:
    """An engine's table with its model's place, label and kind filled in."""
    model = table.model
    if model.startswith(("~", ".")) or (model.endswith(".gguf") and not model.startswith("run:")):
        try:
            model = str((base / FilePath(model).expanduser()).absolute())
        except RuntimeError:  # no home folder known
            model = str(base / model)
    label = label_of(model)
    kind = table.kind or ("embedding" if _EMBEDS.search(label) else "generation")
    return Engine(
        name=name,
        model=model,
        label=label,
        kind=kind,
        context_tokens=table.context_tokens,
        max_batch=table.max_batch,
        queue=table.queue,
        kv_tokens=table.kv_tokens,
        threads=table.threads,
        scheme=table.scheme,
    )


def label_of(model: str) -> str:
    """What callers name it by: a file's stem, a folder's or repository's last part, a run's name."""
    last = re.split(r"[/\\]", model.removeprefix("run:").rstrip("/\\"))[-1]
    return _LABEL.sub("-", last.removesuffix(".gguf")).strip("-") or "model"
