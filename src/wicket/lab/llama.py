"""The student: a Llama-like decoder in plain torch, written to be read, trained and exported.

Pre-norm RMSNorm and SwiGLU (Touvron et al. 2023), rotary positions (Su et al. 2021), grouped queries
(Ainslie et al. 2023). The parts of a layer are called as in `engines.checkpoints.llama`, so that a
checkpoint read there is a student here and a student here is a checkpoint there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.engines.checkpoints.llama import (
    LAYER_BIASES,
    LAYER_PARTS,
    LlamaCheckpoint,
    LlamaShape,
    expected_shape,
)

Listen = Callable[[str, Tensor], None]
MATRICES = ("q", "k", "v", "o", "gate", "up", "down")


class Packed(msgspec.Struct, frozen=True):
    """A matrix whose codes on an export's grid are chosen already (`lab.grids`): its bytes, row by row.

    `weight` is what they stand for; an export uses the bytes only while the matrix is still that.
    """

    scheme: str
    data: Tensor
    weight: Tensor


class Layer(nn.Module):
    """One block. `parts` are its weights by their short names; matrices are (outputs, inputs).

    `through` holds what a technique puts between a matrix and its use (a grid, a mask, an adapter): a module
    from weight to weight. `settle` makes that permanent.
    """

    def __init__(self, parts: dict[str, Tensor]) -> None:
        super().__init__()
        self.parts = nn.ParameterDict({name: nn.Parameter(tensor) for name, tensor in parts.items()})
        self.through = nn.ModuleDict()
        self.listen: Listen | None = None  # told of what each matrix reads (`lab.listening`)

    def weight(self, name: str) -> Tensor:
        """A matrix as it is used."""
        weight: Tensor = self.parts[name]
        if name in self.through:
            used: Tensor = self.through[name](weight)
            return used
        return weight

    def linear(self, name: str, x: Tensor) -> Tensor:
        """`x` (…, inputs) times the matrix `name`."""
        if self.listen is not None:
            self.listen(name, x)
        bias = f"{name}_bias"
        if bias not in self.parts:
            return F.linear(x, self.weight(name))
        return F.linear(x, self.weight(name), self.parts[bias])


class Llama(nn.Module):
    """Token ids (batch, length) to logits (batch, length, vocabulary)."""

    speeds: Tensor

    def __init__(self, shape: LlamaShape, top: dict[str, Tensor], layers: list[dict[str, Tensor]]) -> None:
        super().__init__()
        self.shape = shape
        self.top = nn.ParameterDict({name: nn.Parameter(tensor) for name, tensor in top.items()})
        self.through = nn.ModuleDict()  # as a layer's, for "embed" and "head"
        self.layers = nn.ModuleList(Layer(parts) for parts in layers)
        self.packed: dict[str, Packed] = {}
        self.register_buffer("speeds", torch.from_numpy(shape.inverse_frequencies()), persistent=False)

    def forward(self, ids: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Logits of every position, or of those where `wanted` (batch, length) is true, flattened."""
        hidden = self.hidden(ids)
        if wanted is not None:
            hidden = hidden[wanted]
        return F.linear(hidden, self.weight("head" if "head" in self.top else "embed"))

    def weight(self, name: str) -> Tensor:
        """A matrix of the top as it is used."""
        weight: Tensor = self.top[name]
        if name in self.through:
            used: Tensor = self.through[name](weight)
            return used
        return weight

    def hidden(self, ids: Tensor) -> Tensor:
        """The last layer's normed states (batch, length, hidden)."""
        x = self.embedded(ids)
        turns = self.turns(ids.shape[1])
        for layer in self.layers:
            x = self.block(layer, x, turns)
        return self._norm(x, self.top["norm"])

    def embedded(self, ids: Tensor) -> Tensor:
        """What goes into the first layer."""
        return F.embedding(ids, self.weight("embed"))

    def block(self, layer: nn.Module, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """One residual block over the whole length, causal."""
        assert isinstance(layer, Layer)
        x = x + self._attention(layer, self._norm(x, layer.parts["attn_norm"]), turns)
        h = self._norm(x, layer.parts["ffn_norm"])
        gated = F.silu(layer.linear("gate", h)) * layer.linear("up", h)
        return x + layer.linear("down", gated)

    def _attention(self, layer: Layer, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        shape, (batch, length, _) = self.shape, x.shape

        def heads(name: str, count: int) -> Tensor:
            return layer.linear(name, x).view(batch, length, count, shape.head_size).transpose(1, 2)

        q = _turned(heads("q", shape.num_heads), turns)
        k = _turned(heads("k", shape.num_kv_heads), turns)
        v = heads("v", shape.num_kv_heads)
        group = shape.num_heads // shape.num_kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return layer.linear("o", mixed.transpose(1, 2).reshape(batch, length, -1))

    def turns(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the rotary positions, (length, head / 2) each."""
        positions = torch.arange(length, dtype=torch.float32, device=self.top["norm"].device)
        angles = torch.outer(positions, self.speeds)
        return angles.cos(), angles.sin()

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.shape.norm_epsilon)

    def matrices(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every matrix of the layers as ("3.gate", parameter): what is pruned and quantised."""
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            for name in MATRICES:
                yield f"{index}.{name}", layer.parts[name]

    def settle(self) -> None:
        """Make what techniques put between weights and their use permanent, and take it out."""
        with torch.no_grad():
            for module in dict.fromkeys([*self.layers, self]):
                parts = self.top if module is self else module.parts
                for name in list(module.through):
                    parts[name] = nn.Parameter(module.weight(name).detach().clone())
                    del module.through[name]

    def num_parameters(self) -> int:
        """Trainable or not, a shared one once."""
        return sum(parameter.numel() for parameter in self.parameters())


def _turned(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions: the first half of a head turns with the second (Hugging Face's order)."""
    cos, sin = turns[0].to(x.dtype), turns[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def from_checkpoint(checkpoint: LlamaCheckpoint) -> Llama:
    """A student with a checkpoint's weights in float32. Raises `EngineFault` as the checkpoint does."""
    shape = checkpoint.shape

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(checkpoint.matrix(name).copy())

    names = ("embed", "norm", *(("head",) if checkpoint.has("head") else ()))
    top = {name: tensor(name) for name in names}
    layers = []
    for index in range(shape.num_layers):
        biases = [bias for bias in LAYER_BIASES if checkpoint.has(f"{index}.{bias}")]
        layers.append({part: tensor(f"{index}.{part}") for part in (*LAYER_PARTS, *biases)})
    return Llama(shape, top, layers)


def fresh(shape: LlamaShape, *, seed: int, is_tied: bool = True) -> Llama:
    """A student with random weights: normal with deviation 0.02, the residual outputs scaled down by depth
    (GPT-2's initialisation, Radford et al. 2019)."""
    chance = torch.Generator().manual_seed(seed)
    depth = (2 * shape.num_layers) ** -0.5

    def tensor(name: str) -> Tensor:
        sizes = expected_shape(shape, name)
        if len(sizes) == 1:
            return torch.ones(sizes)
        scale = 0.02 * (depth if name.endswith((".o", ".down")) else 1.0)
        return torch.randn(sizes, generator=chance) * scale

    top = {name: tensor(name) for name in ("embed", "norm", *(() if is_tied else ("head",)))}
    layers = [{part: tensor(f"{index}.{part}") for part in LAYER_PARTS} for index in range(shape.num_layers)]
    return Llama(shape, top, layers)
