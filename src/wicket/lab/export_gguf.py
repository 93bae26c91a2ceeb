"""A student as a GGUF file: any engine that reads Llama models can serve it.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The vocabulary comes from the base's GGUF
file, key by key; the chat template is the one that the student was trained with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import gguf
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.llama import GGUF_LAYER_NAMES, GGUF_TOP_NAMES, LlamaShape
from wicket.errors import EngineFault
from wicket.lab.k_formats import SUPER, quantise
from wicket.lab.llama import Layer, Llama

FORMATS = ("f32", "f16", "q8_0", "q6_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0")
K_FORMATS = ("q6_k", "q4_k")  # in super-blocks of 256, which gguf itself reads and does not write
_TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
    "q4_1": gguf.GGMLQuantizationType.Q4_1,
    "q5_0": gguf.GGMLQuantizationType.Q5_0,
    "q5_1": gguf.GGMLQuantizationType.Q5_1,
    "q4_k": gguf.GGMLQuantizationType.Q4_K,
    "q6_k": gguf.GGMLQuantizationType.Q6_K,
}
_FILE_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q8_0": 7,
    "q5_0": 8,
    "q5_1": 9,
    "q4_k": 14,
    "q6_k": 18,
}  # llama.h: LLAMA_FTYPE
_BLOCK = 32  # weights that share a scale in all of these formats

Floats = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)


def export_gguf(model: Llama, base: Path, path: Path, *, scheme: str, template: str, name: str) -> None:
    """Write `model` with the vocabulary of the GGUF file `base`. Raises `EngineFault` for an unknown scheme.

    A matrix whose rows are no multiple of 32 stays in F16, as the quantised formats can't hold it; one whose
    rows are no multiple of 256 is in Q8_0 under the K formats.
    """
    if scheme not in _TYPES:
        raise EngineFault("bad_scheme", f"There is no format {scheme!r}: use one of {', '.join(FORMATS)}.")
    draft = path.with_name(f"{path.name}.new")
    writer = gguf.GGUFWriter(draft, model.shape.architecture)
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[scheme])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_shape(writer, model.shape)
    _copy_vocabulary(writer, base)
    writer.add_chat_template(template)
    packed = _packed(model, scheme)
    for tensor_name, matrix in _tensors(model):
        if tensor_name in packed:
            writer.add_tensor(tensor_name, packed[tensor_name], raw_dtype=_TYPES[scheme])
        else:
            _add_tensor(writer, tensor_name, matrix, scheme)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def pairs_from_halves(matrix: NDArray[Kind], head_size: int) -> NDArray[Kind]:
    """The inverse of `engines.checkpoints.llama.halves_from_pairs`: GGUF rotates neighbouring rows."""
    rows, columns = matrix.shape
    halves = matrix.reshape(rows // head_size, 2, head_size // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, columns)


def _tensors(model: Llama) -> list[tuple[str, Floats]]:
    found = [(GGUF_TOP_NAMES[name], _array(tensor)) for name, tensor in model.top.items()]
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        for name, tensor in layer.parts.items():
            matrix = _array(tensor)
            if name in ("q", "k") and model.shape.architecture == "llama":
                matrix = pairs_from_halves(matrix, model.shape.head_size)
            found.append((f"blk.{index}.{GGUF_LAYER_NAMES[name]}", matrix))
    return found


def _packed(model: Llama, scheme: str) -> dict[str, NDArray[np.uint8]]:
    """The bytes of matrices whose codes were chosen for this scheme and that have not changed since."""
    found = {}
    for name, weight in model.matrices():
        packed = model.packed.get(name)
        if packed is None or packed.scheme != scheme or not packed.weight.equal(weight.detach()):
            continue
        index, _, part = name.partition(".")
        data: NDArray[np.uint8] = packed.data.numpy()
        if part in ("q", "k") and model.shape.architecture == "llama":
            data = pairs_from_halves(data, model.shape.head_size)
        found[f"blk.{index}.{GGUF_LAYER_NAMES[part]}"] = data
    return found


def _array(tensor: Any) -> Floats:
    array: Floats = tensor.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise EngineFault("bad_checkpoint", "The student holds values that are no numbers; train it again.")
    return array


def _add_tensor(writer: gguf.GGUFWriter, name: str, matrix: Floats, scheme: str) -> None:
    kind = _TYPES[scheme]
    if matrix.ndim == 1:
        writer.add_tensor(name, matrix.astype(np.float32))
        return
    is_quantised = kind not in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
    if is_quantised and matrix.shape[1] % _BLOCK:
        kind = gguf.GGMLQuantizationType.F16
    elif scheme in K_FORMATS and matrix.shape[1] % SUPER:
        kind = gguf.GGMLQuantizationType.Q8_0
    if is_quantised and name == GGUF_TOP_NAMES["embed"] and scheme != "q8_0":
        kind = gguf.GGMLQuantizationType.Q8_0  # the embedding is the head too, and suffers most
    if kind == _TYPES[scheme] and scheme in K_FORMATS:
        writer.add_tensor(name, quantise(matrix, scheme), raw_dtype=kind)
        return
    writer.add_tensor(name, gguf.quants.quantize(matrix, kind), raw_dtype=kind)


def _add_shape(writer: gguf.GGUFWriter, shape: LlamaShape) -> None:
    writer.add_block_count(shape.num_layers)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocab_size)
    if shape.rope_factors is not None:
        writer.add_tensor("rope_freqs.weight", np.asarray(shape.rope_factors, dtype=np.float32))


def _copy_vocabulary(writer: gguf.GGUFWriter, base: Path) -> None:
    for key, field in gguf.GGUFReader(base).fields.items():
        if key.startswith("tokenizer.") and key != "tokenizer.chat_template":
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], inner)
