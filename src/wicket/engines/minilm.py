"""A BERT encoder such as all-MiniLM-L6-v2 on the CPU, with OpenVINO: sentence embeddings, and with a head
labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.gguf import broken
from wicket.engines.checkpoints.safetensors_file import SafetensorsFile
from wicket.engines.checkpoints.tokenizer_folder import MAX_FILE_BYTES, read_json
from wicket.engines.contract import (
    Capabilities,
    Certainty,
    Classified,
    Classify,
    Done,
    Embed,
    Embedded,
    Event,
    Generate,
    Refused,
    Score,
)
from wicket.engines.decoding.graph_bert import BertShape, build_encoder
from wicket.engines.decoding.label_head import LabelHead, read_head
from wicket.engines.decoding.weights_openvino import GROUPS, SCHEMES
from wicket.errors import EngineFault

MAX_BATCH_TEXTS = 32
MAX_BATCH_TOKENS = 2048
DEFAULT_TOKENS = 256
LABEL_SCHEME = "int8"
# Word pieces come from words: this many characters per token are never needed.
CHARACTERS_PER_TOKEN = 128


@dataclass(slots=True)
class _Job:
    """One command under way: texts still to do (their indices, from the last), and what is done of each."""

    command: Embed | Classify
    left: list[int]
    found: list[Any]
    num_tokens: int = 0

    def event(self) -> Event:
        """The answer, once nothing is left."""
        if isinstance(self.command, Embed):
            return Embedded(self.command.id, self.found, self.num_tokens)
        labels: list[list[tuple[str, float]]] = [labels for labels, _ in self.found]
        certainties: list[Certainty] = [certainty for _, certainty in self.found]
        return Classified(self.command.id, labels, self.num_tokens, certainties)


class MiniLm:
    """An `Engine` that answers `embed`, and `classify` if the checkpoint has a head.

    Longer texts than `context_tokens` are cut, as its makers do.
    """

    def __init__(
        self,
        compiled: Any,
        tokenizer: Any,
        shape: BertShape,
        max_tokens: int,
        head: LabelHead | None,
        weights: tuple[str, int],
    ) -> None:
        self._request = compiled.create_infer_request()
        self._tokenizer = tokenizer
        self._shape = shape
        self._max_tokens = max_tokens
        self._scheme, self._weights_bytes = weights
        self._head = head
        self._jobs: dict[int, _Job] = {}
        self._pending: list[Event] = []

    def capabilities(self) -> Capabilities:
        """What this checkpoint can do here."""
        return Capabilities(
            id=0,
            engine="openvino",
            verbs=["embed", "classify"] if self._head is not None else ["embed"],
            context_tokens=self._max_tokens,
            vocab_size=self._shape.vocab_size,
            max_batch=MAX_BATCH_TEXTS,
            kv_tokens=0,
            weights_bytes=self._weights_bytes,
            max_logprobs=0,
            scheme=self._scheme,
            notes=[
                f"a text is cut after {self._max_tokens} tokens",
                f"dimensions: {self._shape.hidden_size}",
                *([f"labels: {len(self._head.labels)}"] if self._head is not None else ()),
            ],
        )

    def submit(self, command: Generate | Score | Embed | Classify) -> None:
        """Queue a command, or queue its refusal."""
        if not isinstance(command, Embed | Classify) or (
            isinstance(command, Classify) and self._head is None
        ):
            verb = type(command).__name__.lower()
            self._pending.append(Refused(command.id, "unsupported", f"This checkpoint can't {verb}."))
        elif command.id in self._jobs:
            self._pending.append(Refused(command.id, "internal", f"Command {command.id} is already running."))
        else:
            # Texts of like length share a batch, so that little is padded.
            order = sorted(range(len(command.texts)), key=lambda index: len(command.texts[index]))
            self._jobs[command.id] = _Job(command, order, [None] * len(command.texts))

    def cancel(self, command_id: int) -> None:
        """Stop a command; unknown ids are ignored."""
        job = self._jobs.pop(command_id, None)
        if job is not None:
            self._pending.append(Done(command_id, "cancelled", job.num_tokens, 0, 0))

    def step(self) -> Sequence[Event]:
        """One batch of the oldest command."""
        events, self._pending = self._pending, []
        if not self._jobs:
            return events
        job = next(iter(self._jobs.values()))
        try:
            if job.left:
                self._advance(job)
        except RuntimeError as error:
            del self._jobs[job.command.id]
            line = (str(error).splitlines() or ["unknown"])[0][:200]
            return [*events, Refused(job.command.id, "internal", f"The forward pass failed: {line}")]
        if not job.left:
            del self._jobs[job.command.id]
            events.append(job.event())
        return events

    def is_idle(self) -> bool:
        """Whether nothing is left to do or to say."""
        return not self._jobs and not self._pending

    def close(self) -> None:
        """Release the model."""
        self._request = None

    def _advance(self, job: _Job) -> None:
        """The longest texts that are left, as many as fit a batch."""
        picked: list[tuple[int, list[int]]] = []
        widest = 0
        while job.left and len(picked) < MAX_BATCH_TEXTS:
            text = job.command.texts[job.left[-1]][: self._max_tokens * CHARACTERS_PER_TOKEN]
            ids: list[int] = self._tokenizer.encode(text).ids
            widest = max(widest, len(ids))
            if picked and widest * (len(picked) + 1) > MAX_BATCH_TOKENS:
                break
            picked.append((job.left.pop(), ids))
        vectors = self._forward([ids for _, ids in picked], widest)
        for (index, ids), result in zip(picked, self._results(job.command, vectors), strict=True):
            job.found[index] = result
            job.num_tokens += len(ids)

    def _results(self, command: Embed | Classify, vectors: NDArray[np.float32]) -> list[Any]:
        if isinstance(command, Embed):
            found: list[Any] = vectors.tolist()
            return found
        assert self._head is not None
        return list(self._head.judge(vectors, command.top))

    def _forward(self, batch: list[list[int]], width: int) -> NDArray[np.float32]:
        from openvino import Tensor

        ids = np.zeros((len(batch), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        self._request.set_tensor("input_ids", Tensor(ids))
        self._request.set_tensor("attention_mask", Tensor(mask))
        self._request.infer()
        vectors: NDArray[np.float32] = self._request.get_tensor("vectors").data
        return vectors


def load(model_path: Path, *, threads: int | None, cache_dir: Path | None, scheme: str = "auto") -> MiniLm:
    """Load a sentence-transformers folder (`config.json`, `model.safetensors`, `tokenizer.json`).

    With `classifier.*` among its tensors it has labels as well (see `label_head`). The scheme "auto" is f32
    for vectors alone, which others compare with theirs, and int8 for labels: their confidence is calibrated
    on what this engine answers. `cache_dir` is not used: the encoder compiles in well under a second.
    Raises `EngineFault` when the folder can't be read, or the encoder computes no unit vectors here.
    """
    from wicket.engines.decoding.paged_decoder import compile_model
    from wicket.engines.decoding.processor import usable_cores

    config = read_json(model_path / "config.json")
    shape = _shape(config)
    file = SafetensorsFile(model_path / "model.safetensors")
    head = read_head(config, file, shape.hidden_size)
    scheme = _scheme(scheme, head is not None)
    model = build_encoder(shape, lambda name: file.tensor(name) if name in file else _missing(name), scheme)
    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads or usable_cores()),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUPS.get(scheme, 0)),
    }
    max_tokens = min(_max_tokens(model_path), shape.max_position_embeddings)
    weights = sum(op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant")
    compiled = compile_model(model, properties)
    pieces = _word_pieces(model_path, max_tokens)
    engine = MiniLm(compiled, pieces, shape, max_tokens, head, (scheme, weights))
    _self_test(engine)
    return engine


def _scheme(wanted: str, has_labels: bool) -> str:
    if wanted == "auto":
        return LABEL_SCHEME if has_labels else "f32"
    if wanted not in SCHEMES:
        raise EngineFault("bad_scheme", f"There is no scheme {wanted!r}: use auto, {', '.join(SCHEMES)}.")
    return wanted


def _missing(name: str) -> NDArray[np.float32]:
    raise broken(f"has no tensor '{name}'")


def _shape(config: dict[str, Any]) -> BertShape:
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise EngineFault("bad_checkpoint", "Only BERT encoders with GELU are served here.")
    try:
        shape = msgspec.convert(config, BertShape)
    except msgspec.ValidationError as error:
        raise broken(f"has a config.json that does not fit: {error}") from None
    if min(shape.hidden_size, shape.num_attention_heads) < 1 or shape.hidden_size % shape.num_attention_heads:
        raise broken("has heads that don't divide")
    return shape


def _max_tokens(folder: Path) -> int:
    """How many tokens sentence-transformers reads of a text."""
    value = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    return value if isinstance(value, int) and value > 2 else DEFAULT_TOKENS


def _word_pieces(folder: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise EngineFault("bad_checkpoint", f"{folder.name} has no usable tokenizer.json.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise EngineFault("bad_checkpoint", f"tokenizer.json can't be read: {str(error)[:200]}") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _self_test(engine: MiniLm) -> None:
    """Near and far sentences must come out as unit vectors, near and far."""
    engine.submit(Embed(0, ["a cat sleeps", "a kitten is asleep", "interest rates rose"]))
    events = engine.step()
    vectors = np.array([event.vectors for event in events if isinstance(event, Embedded)], dtype=np.float32)
    if not np.isfinite(vectors).all() or not np.allclose((vectors**2).sum(axis=-1), 1.0, atol=1e-3):
        raise EngineFault("self_test_failed", "The encoder does not compute unit vectors on this machine.")
