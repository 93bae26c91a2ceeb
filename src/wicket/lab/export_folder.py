"""A decoder as a folder in Hugging Face's form: config.json, model.safetensors, tokenizer files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from wicket.engines.checkpoints.folder import LAYER_NAMES, TOP_NAMES
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.errors import EngineFault, OperatorFault
from wicket.lab.llama import Layer, Llama
from wicket.lab.run import write_whole
from wicket.wire import json

CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}


def export_folder(model: Llama, vocabulary: Tokenizer, folder: Path, *, template: str) -> None:
    """Write all files, in float32. Raises `EngineFault` for a rotation that config.json has no words for."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {TOP_NAMES[name]: tensor for name, tensor in model.top.items()}
    for place, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        for name, tensor in layer.parts.items():
            tensors[f"model.layers.{place}.{LAYER_NAMES[name]}"] = tensor
    draft = folder / "model.safetensors.new"
    whole = {name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in whole.values()):
        raise EngineFault("bad_checkpoint", "The student holds values that are no numbers; train it again.")
    try:
        save_file(whole, draft, metadata={"format": "pt"})
        draft.replace(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise OperatorFault("disk", f"{folder} can't be written: {error}.") from None
    _write_json(folder / "config.json", _config(model, vocabulary))
    _write_json(folder / "generation_config.json", _ends(vocabulary))
    _write_json(folder / "tokenizer.json", _tokenizer(vocabulary))
    names = {number: text for text, number in vocabulary.special_tokens.items()}
    words: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": vocabulary.adds_bos,
    }
    if vocabulary.eos_ids and vocabulary.eos_ids[0] in names:
        words["eos_token"] = names[vocabulary.eos_ids[0]]
    if vocabulary.bos_id in names:
        words["bos_token"] = names[vocabulary.bos_id]
    _write_json(folder / "tokenizer_config.json", words)
    write_whole(folder / "chat_template.jinja", template.encode())


def _config(model: Llama, vocabulary: Tokenizer) -> dict[str, Any]:
    shape = model.shape
    config: dict[str, Any] = {
        "architectures": [CLASSES[shape.architecture]],
        "model_type": shape.architecture,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.context_tokens,
        "rms_norm_eps": shape.norm_epsilon,
        "hidden_act": "silu",
        "tie_word_embeddings": "head" not in model.top,
        "torch_dtype": "float32",
        "rope_theta": shape.rope_theta,
        **_ends(vocabulary),
    }
    if shape.rope_factors is not None:
        if not np.allclose(shape.rope_factors, shape.rope_factors[0]):
            message = "This rotation scaling can't be said in config.json: export GGUF only (folder = false)."
            raise EngineFault("unsupported", message)
        config["rope_scaling"] = {"rope_type": "linear", "factor": shape.rope_factors[0]}
    return config


def _ends(vocabulary: Tokenizer) -> dict[str, Any]:
    ends: dict[str, Any] = {"eos_token_id": vocabulary.eos_ids}
    return ends if vocabulary.bos_id is None else {**ends, "bos_token_id": vocabulary.bos_id}


def _tokenizer(vocabulary: Tokenizer) -> dict[str, Any]:
    """With a decoder, which the engine does without and others need."""
    document: dict[str, Any] = json.decode(vocabulary.document().encode(), type=dict[str, Any])
    if not document.get("decoder"):
        if document["model"].get("byte_fallback"):
            space = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
            strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
            parts = [space, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]
            document["decoder"] = {"type": "Sequence", "decoders": parts}
        else:
            document["decoder"] = {
                "type": "ByteLevel",
                "add_prefix_space": True,
                "trim_offsets": True,
                "use_regex": True,
            }
    return document


def _write_json(path: Path, value: dict[str, Any]) -> None:
    write_whole(path, json.dumps(value).encode())
