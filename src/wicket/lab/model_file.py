"""A decoder between two stages of a run: one safetensors file with its shape, never pickle.

Layers that share weights are stored once; masks and the codes that a quantisation chose go along, so that a
run that was interrupted goes on with the very same model.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from wicket.engines.checkpoints.llama import LlamaShape, check_shape
from wicket.errors import EngineFault, OperatorFault
from wicket.lab.llama import Layer, Llama, Packed
from wicket.lab.techniques.prune_weights import Mask
from wicket.wire import json


class Contents(msgspec.Struct, frozen=True):
    """`layers` says which set of weights each layer uses; `packed` which scheme each packed matrix has."""

    shape: LlamaShape
    layers: list[int]
    packed: dict[str, str]


def write_model(path: Path, model: Llama) -> None:
    """Replace the file whole. Raises `EngineFault` for values that are no numbers, `OperatorFault` for a disk
    that is full."""
    distinct = list(dict.fromkeys(model.layers))
    tensors: dict[str, Tensor] = {f"top.{name}": tensor for name, tensor in model.top.items()}
    for place, layer in enumerate(distinct):
        assert isinstance(layer, Layer)
        tensors |= {f"layer.{place}.{name}": tensor for name, tensor in layer.parts.items()}
        for name, through in layer.through.items():
            assert isinstance(through, Mask), "only masks outlive their step"
            tensors[f"mask.{place}.{name}"] = through.kept.to(torch.uint8)
    for name, packed in model.packed.items():
        tensors[f"codes.{name}"], tensors[f"values.{name}"] = packed.data, packed.weight
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point()):
        raise EngineFault("bad_checkpoint", "The model holds values that are no numbers; lower the rate.")
    contents = Contents(
        model.shape,
        [distinct.index(layer) for layer in model.layers],
        {name: packed.scheme for name, packed in model.packed.items()},
    )
    draft = path.with_name(f"{path.name}.new")
    try:
        whole = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
        save_file(whole, draft, metadata={"contents": json.encode(contents).decode()})
        os.replace(draft, path)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise OperatorFault("disk", f"{path} can't be written: {error}.") from None


def read_model(path: Path) -> Llama:
    """The model in a file. Raises `OperatorFault` for one that is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            contents = json.decode((file.metadata() or {})["contents"], type=Contents)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        return _built(contents, tensors)
    except (OSError, SafetensorError, KeyError, json.DecodeError) as error:
        message = f"{path} can't be read ({error}): remove it and run again."
        raise OperatorFault("bad_checkpoint", message) from None


def _built(contents: Contents, tensors: dict[str, Tensor]) -> Llama:
    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    num = max(contents.layers, default=-1) + 1
    parts = [under(f"layer.{place}.") for place in range(num)]
    model = Llama(check_shape(contents.shape), under("top."), parts)
    for place, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        for name, kept in under(f"mask.{place}.").items():
            layer.through[name] = Mask(kept.float())
    model.layers = nn.ModuleList([model.layers[place] for place in contents.layers])
    for name, scheme in contents.packed.items():
        model.packed[name] = Packed(scheme, tensors[f"codes.{name}"], tensors[f"values.{name}"])
    model.eval()
    return model
