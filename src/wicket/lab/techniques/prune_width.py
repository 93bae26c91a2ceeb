"""Width pruning: FFN neurons, heads and hidden channels by how much passes through them (Minitron,
Muralidharan et al. 2024: activation-based importance, a small calibration set, no gradients).

A neuron counts by the root mean square of what it gives to the down projection; a head by that of what it
gives to the output projection; a channel by the mean size of the normed states, over all layers. Heads go by
whole groups that share keys and values, so that grouped queries stay as they are.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from wicket.errors import OperatorFault
from wicket.lab.listening import listened
from wicket.lab.llama import Layer, Listen, Llama
from wicket.lab.material import Material


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes after pruning; 0 leaves one as it is. `ffn` and `hidden` best are multiples of 32."""

    ffn: int = 0
    kv_heads: int = 0
    hidden: int = 0


class Report(msgspec.Struct, frozen=True):
    """(before, after) of each size that changed."""

    ffn: tuple[int, int] | None = None
    kv_heads: tuple[int, int] | None = None
    hidden: tuple[int, int] | None = None


class Importance(msgspec.Struct):
    """Per layer the neurons' (ffn,) and the heads' (heads,); of the whole model the channels' (hidden,)."""

    neurons: list[Tensor]
    heads: list[Tensor]
    channels: Tensor


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Prune, in place. Raises `OperatorFault` for a size that is no reduction."""
    shape = model.shape
    for name, now, wanted in (
        ("ffn", shape.ffn, options.ffn),
        ("kv_heads", shape.num_kv_heads, options.kv_heads),
        ("hidden", shape.hidden, options.hidden),
    ):
        if wanted and not 0 < wanted < now:
            raise OperatorFault("bad_recipe", f"{name} = {wanted} must be less than the {now} there are.")
    model.settle()
    found = importance(model, material)
    if options.ffn:
        _keep_neurons(model, found.neurons, options.ffn)
    if options.kv_heads:
        _keep_heads(model, found.heads, options.kv_heads)
    if options.hidden:
        _keep_channels(model, _largest(found.channels, options.hidden))
    model.packed = {}
    return Report(
        ffn=(shape.ffn, options.ffn) if options.ffn else None,
        kv_heads=(shape.num_kv_heads, options.kv_heads) if options.kv_heads else None,
        hidden=(shape.hidden, options.hidden) if options.hidden else None,
    )


def importance(model: Llama, material: Material) -> Importance:
    """Measured on the calibration batches."""
    shape = model.shape
    neurons = [torch.zeros(shape.ffn) for _ in model.layers]
    heads = [torch.zeros(shape.num_heads) for _ in model.layers]
    channels = torch.zeros(shape.hidden)

    def hear(index: int) -> Listen:
        def listen(name: str, x: Tensor) -> None:
            if name == "down":
                neurons[index] += x.square().sum(0)
            elif name == "o":
                heads[index] += x.square().sum(0).reshape(shape.num_heads, shape.head_size).sum(1)
            elif name in ("q", "gate"):
                channels.add_(x.abs().sum(0))

        return listen

    with torch.no_grad():
        for batch in material.calibration:
            turns = model.turns(batch.ids.shape[1])
            x = model.embedded(batch.ids)
            for index, layer in enumerate(model.layers):
                assert isinstance(layer, Layer)
                with listened(layer, hear(index)):
                    x = model.block(layer, x, turns)
    return Importance(neurons, heads, channels)


def _largest(values: Tensor, num: int) -> Tensor:
    """The places of the `num` largest, in their order."""
    return values.argsort(descending=True, stable=True)[:num].sort().values


def _put(parts: nn.ParameterDict, name: str, tensor: Tensor) -> None:
    parts[name] = nn.Parameter(tensor.detach().clone())


def _layers(model: Llama) -> list[Layer]:
    return [layer for layer in model.layers if isinstance(layer, Layer)]


def _keep_neurons(model: Llama, neurons: list[Tensor], num: int) -> None:
    for layer, values in zip(_layers(model), neurons, strict=True):
        kept = _largest(values, num)
        _put(layer.parts, "gate", layer.parts["gate"][kept])
        _put(layer.parts, "up", layer.parts["up"][kept])
        _put(layer.parts, "down", layer.parts["down"][:, kept])
    model.shape = msgspec.structs.replace(model.shape, ffn=num)


def _keep_heads(model: Llama, heads: list[Tensor], num: int) -> None:
    shape = model.shape
    group = shape.num_heads // shape.num_kv_heads
    for layer, values in zip(_layers(model), heads, strict=True):
        kept = _largest(values.reshape(shape.num_kv_heads, group).sum(1), num)
        kv_rows = _rows(kept, shape.head_size)
        q_rows = _rows(_rows(kept, group), shape.head_size)
        for name, rows in (("q", q_rows), ("k", kv_rows), ("v", kv_rows)):
            _put(layer.parts, name, layer.parts[name][rows])
            if f"{name}_bias" in layer.parts:
                _put(layer.parts, f"{name}_bias", layer.parts[f"{name}_bias"][rows])
        _put(layer.parts, "o", layer.parts["o"][:, q_rows])
    model.shape = msgspec.structs.replace(shape, num_heads=num * group, num_kv_heads=num)


def _rows(kept: Tensor, each: int) -> Tensor:
    """The rows of whole blocks of `each`."""
    return (kept[:, None] * each + torch.arange(each)).flatten()


def _keep_channels(model: Llama, kept: Tensor) -> None:
    for name, tensor in list(model.top.items()):
        _put(model.top, name, tensor[kept] if tensor.ndim == 1 else tensor[:, kept])
    for layer in _layers(model):
        for name, tensor in list(layer.parts.items()):
            if name in ("attn_norm", "ffn_norm", "o", "down"):
                _put(layer.parts, name, tensor[kept])
            elif tensor.ndim == 2:
                _put(layer.parts, name, tensor[:, kept])
    model.shape = msgspec.structs.replace(model.shape, hidden=len(kept))
