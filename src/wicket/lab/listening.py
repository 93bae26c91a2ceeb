"""What goes into each matrix of a decoder while it reads: for every technique that asks what matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from wicket.lab.llama import Layer, Listen, Llama
from wicket.lab.material import Batch

Visit = Callable[[int, Layer], None]


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


def input_norms(model: Llama, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """Of each matrix ("3.gate"), the root of the summed squares of each of its inputs, (inputs,)."""
    sums: dict[str, Tensor] = {}

    def hear(index: int) -> Listen:
        def listen(name: str, x: Tensor) -> None:
            key, squares = f"{index}.{name}", x.square().sum(0)
            sums[key] = sums[key] + squares if key in sums else squares

        return listen

    with torch.no_grad():
        for batch in batches:
            turns = model.turns(batch.ids.shape[1])
            x = model.embedded(batch.ids)
            for index, layer in enumerate(model.layers):
                assert isinstance(layer, Layer)
                with listened(layer, hear(index)):
                    x = model.block(layer, x, turns)
    return {key: total.sqrt() for key, total in sums.items()}
