"""What goes into each matrix of a decoder while it reads: for every technique that asks what matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from wicket.lab.llama import Layer, Listen, Llama
from wicket.lab.material import Batch

State = tuple[Tensor, tuple[Tensor, Tensor]]  # what a layer is given, and the turns of its places


@contextmanager
def listened(layer: Layer, listen: Listen) -> Iterator[None]:
    """While this lasts, `listen(matrix, inputs)` is told of every use; inputs are (tokens, inputs)."""

    def flat(name: str, x: Tensor) -> None:
        listen(name, x.detach().reshape(-1, x.shape[-1]).float())

    layer.listen = flat
    try:
        yield
    finally:
        layer.listen = None


def starts(model: Llama, batches: Sequence[Batch]) -> list[State]:
    """What goes into the first layer, batch by batch."""
    return [(model.embedded(batch.ids), model.turns(batch.ids.shape[1])) for batch in batches]


def input_norms(model: Llama, layer: Layer, states: Sequence[State]) -> dict[str, Tensor]:
    """Of each matrix of a layer that is given `states`, the root of the summed squares of each of its inputs,
    (inputs,)."""
    sums: dict[str, Tensor] = {}

    def listen(name: str, x: Tensor) -> None:
        squares = x.square().sum(0)
        sums[name] = sums[name] + squares if name in sums else squares

    with torch.no_grad(), listened(layer, listen):
        for x, turns in states:
            model.block(layer, x, turns)
    return {name: total.sqrt() for name, total in sums.items()}
