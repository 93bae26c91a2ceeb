"""Where a recipe's checkpoints come from: files of several forms, opened without trusting them."""

from __future__ import annotations

from pathlib import Path

from wicket.engines.checkpoints.llama import LlamaCheckpoint
from wicket.engines.checkpoints.locate import find
from wicket.engines.checkpoints.opening import open_checkpoint
from wicket.errors import EngineFault
from wicket.lab.llama2c import Llama2cCheckpoint

PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".ckpt")


class Found:
    """A checkpoint with the path it came from and its licence, as far as it is known."""

    def __init__(self, path: Path, licence: str, checkpoint: LlamaCheckpoint) -> None:
        self.path = path
        self.licence = licence
        self.checkpoint = checkpoint


def open_source(spec: str, folder: Path, home: Path) -> Found:
    """The checkpoint that a recipe in `folder` calls `spec`. Raises `EngineFault` with what to do next."""
    path, licence = locate(spec, folder, home)
    if path.is_file():
        _refuse_pickle(path)
        if path.suffix == ".bin":
            return Found(path, licence, Llama2cCheckpoint(path))
    elif not list(path.glob("*.safetensors")) and (bins := sorted(path.glob("*.bin"))):
        _refuse_pickle(bins[0])
    return Found(path, licence, open_checkpoint(path))


def locate(spec: str, folder: Path, home: Path) -> tuple[Path, str]:
    """Path and licence: relative to the recipe if there is such a file, else what `wicket serve --model`
    finds."""
    beside = folder / Path(spec).expanduser()
    if beside.exists():
        return beside.resolve(), "unknown"
    found = find(spec, home)
    return found.path, found.licence


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    if path.suffix in PICKLE_SUFFIXES or head.startswith(PICKLES):
        message = (
            f"{path.name} is a pickle: it could run anything while it is read, so it never is. Convert it to "
            "safetensors where you trust it."
        )
        raise EngineFault("pickle", message)
