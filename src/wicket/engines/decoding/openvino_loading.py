"""From a checkpoint to a decoder that was seen to work: compile or take from the cache, test, fall back."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from wicket.engines.checkpoints.llama import Floats, LlamaCheckpoint, LlamaShape
from wicket.engines.checkpoints.opening import open_checkpoint
from wicket.engines.decoding.graph_llama import build_model, use_paged_attention
from wicket.engines.decoding.paged_decoder import PagedDecoder, TokenSlice, compile_model
from wicket.engines.decoding.processor import usable_cores
from wicket.engines.decoding.reference_llama import ReferenceForward
from wicket.engines.decoding.weights_openvino import GROUPS, SCHEMES
from wicket.errors import EngineFault

# Raise it whenever the graph or a scheme changes, so that older cached graphs are not used.
GRAPH_VERSION = 3
MAX_CACHED_MODELS = 4
CACHE_SUFFIXES = (".bin", ".xml", ".npz")
# A few tokens spread over the vocabulary; any fixed choice does.
PROBE = [1, 17, 523, 88, 301, 7, 2048, 64]
# The cosine between the runtime's logits and numpy's that a scheme must reach.
LEAST_COSINE = {"f32": 0.9999, "f16": 0.999}
LEAST_COSINE_COMPRESSED = 0.98
FALLBACKS = ("int8", "f16", "f32")


@dataclass(frozen=True)
class Loaded:
    """A working decoder, and how it came to be."""

    decoder: PagedDecoder
    shape: LlamaShape
    scheme: str
    weights_bytes: int
    notes: list[str] = field(default_factory=list)


def load_decoder(
    model_path: Path, *, kv_tokens: int, threads: int | None, cache_dir: Path | None, scheme: str
) -> Loaded:
    """The first scheme that passes the self-test. Raises `EngineFault` when none does."""
    if scheme != "auto" and scheme not in SCHEMES:
        known = ", ".join(("auto", *SCHEMES))
        raise EngineFault("bad_scheme", f"There is no scheme {scheme!r}: use one of {known}.")
    checkpoint = open_checkpoint(model_path)
    notes: list[str] = []
    for candidate in FALLBACKS if scheme == "auto" else (scheme,):
        try:
            model, reference, weights_bytes = _graph(checkpoint, model_path, candidate, cache_dir)
            use_paged_attention(model)
            decoder = PagedDecoder(compile_model(model, runtime_properties(candidate, threads)), kv_tokens)
            cosine = self_test(decoder, reference)
        except RuntimeError as error:
            line = (str(error).splitlines() or ["unknown"])[-1][:200]
            notes.append(f"{candidate} does not run here: {line}")
            continue
        if cosine >= LEAST_COSINE.get(candidate, LEAST_COSINE_COMPRESSED):
            return Loaded(decoder, checkpoint.shape, candidate, weights_bytes, notes)
        notes.append(f"{candidate} computes wrongly here (cosine {cosine:.4f})")
        decoder.close()
    raise EngineFault("self_test_failed", f"No number format runs this checkpoint here: {'; '.join(notes)}.")


def self_test(decoder: PagedDecoder, reference: Floats) -> float:
    """The cosine between the decoder's and the reference's logits after the probe; -1 if not finite."""
    tokens = [token % len(reference) for token in PROBE]
    blocks = list(range(-(-len(tokens) // decoder.block_tokens)))
    if len(blocks) > decoder.num_blocks:
        raise RuntimeError("the cache is too small for the self-test")
    logits = decoder.forward([TokenSlice(tokens, 0, blocks, 1)])[0].astype(np.float64)
    norm = float(np.linalg.norm(logits) * np.linalg.norm(reference))
    if not np.isfinite(norm) or norm == 0:
        return -1.0
    return float(logits @ reference) / norm


def runtime_properties(scheme: str, threads: int | None) -> dict[str, str]:
    """How the CPU plugin is to run the model."""
    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "KV_CACHE_PRECISION": "u8" if scheme in GROUPS else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUPS.get(scheme, 0)),
        "INFERENCE_NUM_THREADS": str(threads or usable_cores()),
    }
    return properties


_Graph = tuple[Any, Floats, int]


def _graph(checkpoint: LlamaCheckpoint, path: Path, scheme: str, cache_dir: Path | None) -> _Graph:
    """The decoder's graph before paged attention, the reference's logits, and the weights' bytes."""
    name = _cache_name(path, scheme)
    if cache_dir is not None and (cached := _read_cache(cache_dir, name)) is not None:
        return cached
    reference = ReferenceForward(checkpoint.shape, PROBE)
    model = build_model(checkpoint, scheme, reference)
    weights_bytes = sum(op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant")
    fresh = (model, reference.logits, weights_bytes)
    if cache_dir is not None:
        _write_cache(cache_dir, name, fresh)
    return fresh


def _cache_name(path: Path, scheme: str) -> str:
    """A name that changes with the checkpoint's files, the graph and the runtime."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    parts = [str(path.resolve()), stamps, GRAPH_VERSION, ov.__version__]
    return f"{scheme}-{hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()}"


def _read_cache(folder: Path, name: str) -> _Graph | None:
    """A graph written earlier; None when there is none, or it does not load (then it is made again)."""
    try:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as kept:
            logits, weights_bytes = kept["logits"].astype(np.float32), int(kept["weights_bytes"])
        return ov.Core().read_model(folder / f"{name}.xml"), logits, weights_bytes
    except (OSError, ValueError, KeyError, RuntimeError):
        return None


def _write_cache(folder: Path, name: str, graph: _Graph) -> None:
    """Keep a graph with its compressed weights for the next start; a full disk only costs time then.

    The `.npz` comes last: without it the rest is not looked at.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            ov.save_model(graph[0], Path(temporary, f"{name}.xml"), compress_to_fp16=False)
            np.savez(Path(temporary, f"{name}.npz"), logits=graph[1], weights_bytes=np.int64(graph[2]))
            for suffix in CACHE_SUFFIXES:
                os.replace(Path(temporary, name + suffix), folder / (name + suffix))
        graphs = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in graphs[MAX_CACHED_MODELS:]:
            for suffix in CACHE_SUFFIXES[::-1]:
                old.with_suffix(suffix).unlink(missing_ok=True)
    except (OSError, RuntimeError):
        pass
