"""The encoder behind label minis in plain torch: BERT, read from and written to a Hugging Face folder.

Post-norm transformer with learned positions and GELU (Devlin et al. 2018, https://arxiv.org/abs/1810.04805).
A text's vector is the mean over its tokens at unit length, as sentence-transformers makes it; logits are a
linear map of that vector. `engines.decoding.graph_bert` computes the same from the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.engines.decoding.graph_bert import BertShape

DROPOUT = 0.1  # of BERT's own configuration
TOP_NAMES = {
    "words": "embeddings.word_embeddings.weight",
    "places": "embeddings.position_embeddings.weight",
    "kinds": "embeddings.token_type_embeddings.weight",
    "norm_weight": "embeddings.LayerNorm.weight",
    "norm_bias": "embeddings.LayerNorm.bias",
}
LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mixed": "attention.output.dense",
    "mixed_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "outer_norm": "output.LayerNorm",
}


class Layer(nn.Module):
    """One block: attention, then a feed-forward network, each added and normed."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        hidden, inner = shape.hidden_size, shape.intermediate_size
        self.num_heads = shape.num_attention_heads
        self.query, self.key, self.value, self.mixed = (nn.Linear(hidden, hidden) for _ in range(4))
        self.mixed_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        self.inner, self.outer = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.outer_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """`x` (texts, tokens, hidden); `allowed` (texts, 1, 1, tokens) is true at real tokens."""
        texts, tokens, hidden = x.shape

        def heads(states: Tensor) -> Tensor:
            return states.view(texts, tokens, self.num_heads, -1).transpose(1, 2)

        dropout = DROPOUT if self.training else 0.0
        mixed = F.scaled_dot_product_attention(
            heads(self.query(x)), heads(self.key(x)), heads(self.value(x)), allowed, dropout
        )
        mixed = self.mixed(mixed.transpose(1, 2).reshape(texts, tokens, hidden))
        x = self.mixed_norm(x + F.dropout(mixed, DROPOUT, self.training))
        fed = self.outer(F.gelu(self.inner(x)))
        normed: Tensor = self.outer_norm(x + F.dropout(fed, DROPOUT, self.training))
        return normed


class Bert(nn.Module):
    """Token ids to unit vectors, and with a head (`labels` > 0) to logits."""

    def __init__(self, shape: BertShape, labels: int = 0) -> None:
        super().__init__()
        hidden = shape.hidden_size
        self.shape = shape
        self.words = nn.Parameter(torch.empty(shape.vocab_size, hidden).normal_(0, 0.02))
        self.places = nn.Parameter(torch.empty(shape.max_position_embeddings, hidden).normal_(0, 0.02))
        self.kinds = nn.Parameter(torch.zeros(2, hidden))
        self.norm_weight, self.norm_bias = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.head = nn.Linear(hidden, labels) if labels else None

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits (texts, labels). `mask` (texts, tokens) is true at real tokens."""
        assert self.head is not None
        return self.logits(self.vectors(ids, mask))

    def logits(self, vectors: Tensor) -> Tensor:
        """What the head makes of unit vectors."""
        assert self.head is not None
        return F.linear(vectors.float(), self.head.weight, self.head.bias)

    def vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors (texts, hidden)."""
        x = F.embedding(ids, self.words) + self.places[: ids.shape[1]] + self.kinds[0]
        x = F.layer_norm(x, x.shape[-1:], self.norm_weight, self.norm_bias, self.shape.layer_norm_eps)
        x = F.dropout(x, DROPOUT, self.training)
        allowed = mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, allowed)
        weights = mask[..., None].float()
        mean = (x.float() * weights).sum(1) / weights.sum(1)
        return F.normalize(mean, dim=-1)

    def num_parameters(self) -> int:
        """Trainable or not."""
        return sum(parameter.numel() for parameter in self.parameters())


def tensor_names(model: Bert) -> Iterator[tuple[str, nn.Parameter]]:
    """Every parameter by its name in a Hugging Face checkpoint."""
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        if parts[0] == "layers":
            yield f"encoder.layer.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}", parameter
        elif parts[0] == "head":
            yield f"classifier.{parts[1]}", parameter
        else:
            yield TOP_NAMES[name], parameter


def from_tensors(shape: BertShape, tensor: Callable[[str], Tensor], labels: int = 0) -> Bert:
    """An encoder with a checkpoint's weights; a head that the checkpoint lacks starts at zero.

    Raises what `tensor` raises, and `ValueError` for a tensor of another shape or without numbers.
    """
    model = Bert(shape, labels)
    with torch.no_grad():
        for name, parameter in tensor_names(model):
            if name.startswith("classifier."):
                parameter.zero_()
                continue
            found = tensor(name)
            if found.shape != parameter.shape:
                raise ValueError(f"'{name}' has the shape {list(found.shape)}")
            if not bool(torch.isfinite(found).all()):
                raise ValueError(f"'{name}' holds what is no number")
            parameter.copy_(found)
    return model


def with_layers(model: Bert, kept: list[int]) -> Bert:
    """A copy with some of the layers, in this order."""
    shape = msgspec.structs.replace(model.shape, num_hidden_layers=len(kept))
    smaller = Bert(shape, model.head.out_features if model.head is not None else 0)
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("layers.")}
    for place, index in enumerate(kept):
        layer = model.layers[index]
        state |= {f"layers.{place}.{name}": value for name, value in layer.state_dict().items()}
    smaller.load_state_dict(state)
    return smaller


def with_words(model: Bert, kept: list[int]) -> Bert:
    """A copy that knows some rows of the vocabulary only, in this order."""
    shape = msgspec.structs.replace(model.shape, vocab_size=len(kept))
    smaller = Bert(shape, model.head.out_features if model.head is not None else 0)
    smaller.load_state_dict({**model.state_dict(), "words": model.words.detach()[kept]})
    return smaller
