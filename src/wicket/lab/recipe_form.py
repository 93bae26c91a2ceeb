"""What a recipe says: its sections and fields, as values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wicket.lab.steps import Pace

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0)]


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a mixture. `weight` is its share in parts of all weights; without weights that follows from
    the files' sizes and the mixture's temperature."""

    file: str
    name: str = ""
    weight: Annotated[float, Meta(gt=0.0)] | None = None
    licence: str = ""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """`chat` files are JSONL of OpenAI chat messages, `text` files plain text; both may be gzipped.

    `train` is one file, `sources` are several: a mixture of `total` samples (0: as many as there are), of
    each file in proportion to its size (at most `at_most`) to the power of 1 / `temperature`. `steps` are
    those of `wicket lab curate`. `evaluate` judges and is never learned from: what of the training stands in
    it is removed, or kept, and then the gate fails. `length` is the longest sample or the window, in tokens,
    `rows` how many make a batch.
    """

    evaluate: str
    train: str = ""
    sources: tuple[DataSource, ...] = ()
    temperature: Annotated[float, Meta(ge=0.1, le=1000.0)] = 1.0
    total: Annotated[int, Meta(ge=0)] = 0
    at_most: Annotated[int, Meta(ge=0)] = 0
    steps: list[str | dict[str, Any]] = []
    calibration: str = ""
    form: Literal["chat", "text"] = "chat"
    learn: Literal["answers", "all"] = "answers"
    broken: Literal["refuse", "skip"] = "refuse"
    overlap: Literal["remove", "keep"] = "remove"
    length: Positive = 128
    rows: Positive = 16
    calibration_batches: Positive = 8
    licence: str = "unknown"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """`train`: how many tokens of byte-level BPE to learn from the training data; else those of a checkpoint,
    or of a llama2.c tokenizer `file`. Without them: the teacher's. `trim`: about how many of a checkpoint's
    byte-level BPE stay, and of it all that the training data need."""

    train: Annotated[int, Meta(ge=0)] = 0
    trim: Annotated[int, Meta(ge=0)] = 0
    checkpoint: str = ""
    file: str = ""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh decoder's sizes; `head_size` 0 is hidden / heads."""

    layers: Positive
    hidden: Positive
    heads: Positive
    ffn: Positive
    kv_heads: Annotated[int, Meta(ge=0)] = 0
    head_size: Annotated[int, Meta(ge=0)] = 0
    context: Positive = 512
    rope_theta: float = 10_000.0
    is_tied: bool = True


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens."""

    input: Share
    output: Share


class Teacher(msgspec.Struct, frozen=True, kw_only=True):
    """What everything is measured against. A `shape` is trained from nothing at `pace`; a `checkpoint` is
    taken as it is, or fine-tuned at `pace` first.

    Behind `url` (any OpenAI-compatible address) a `model` answers the training requests, and its answers
    become what is learned: text distillation, whatever its vocabulary. Its key is in the environment variable
    `key_env`. With a checkpoint or shape beside it that one learns from the answers first and is the teacher
    of all further steps; alone, the model behind the URL is what the student is measured against. `max_usd`
    and `max_all_tokens` bound the whole run; `least_answered` is the share of requests that need an answer.
    `steps` are curation's, for the answers.
    """

    checkpoint: str = ""
    shape: Shape | None = None
    pace: Pace | None = None
    url: str = ""
    model: str = ""
    key_env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "WICKET_TEACHER_KEY"
    system: str = ""
    samples: Positive = 1
    temperature: Annotated[float, Meta(ge=0.0, le=2.0)] | None = None
    max_tokens: Positive = 256
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    price: Price | None = None
    max_usd: Share | None = None
    max_all_tokens: Positive | None = None
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 8
    attempts: Positive = 20
    wait_s: Annotated[float, Meta(gt=0.0)] = 0.5
    timeout_s: Annotated[float, Meta(gt=0.0)] = 300.0
    least_answered: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.9
    steps: list[str | dict[str, Any]] = []

    @property
    def is_local(self) -> bool:
        """Whether its weights are at hand."""
        return bool(self.checkpoint) or self.shape is not None


class Student(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps work on: a fresh `shape`, a `checkpoint`, or without either a copy of the teacher."""

    checkpoint: str = ""
    shape: Shape | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """`scheme` of model.gguf; `folder` leaves safetensors in Hugging Face's form as well. The engine must
    agree with the file's own numbers within `tolerance` nats per token. `teacher_scheme` is that of the
    teacher's file, beside which size and speed are measured."""

    scheme: str = "q8_0"
    teacher_scheme: str = "f16"
    folder: bool = False
    tolerance: Share = 0.02


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """`samples` of the evaluation data are answered by the exported files, at most `max_tokens` each.
    `measures` (of `lab.measures`) say what an answer is worth beside the expected one, and the first of them
    is what the gate's `keep` is of; without one that is the share of exact answers. `batches` of the data
    measure likeness. `arithmetic` is what the engine computes in, "auto" its choice.
    `prompts` are continued greedily beside each other in the report. `watts` are those of one busy core, for
    estimating energy where the machine does not say. `harness` names tasks of lm-evaluation-harness, whose
    YAML files are in `harness_folder`; `harness_limit` of their questions are asked (0: all)."""

    samples: Annotated[int, Meta(ge=0)] = 100
    measures: list[str] = []
    max_tokens: Positive = 64
    batches: Positive = 16
    arithmetic: Literal["auto", "int8", "int8_g64", "f16", "f32"] = "auto"
    prompts: list[str] = []
    harness: list[str] = []
    harness_folder: str = "."
    harness_limit: Annotated[int, Meta(ge=0)] = 0
    watts: Annotated[float, Meta(gt=0.0)] = 10.0


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold; a figure that is left out is not asked for. `keep` is of the teacher's score by the
    recipe's first measure, else of its share of exact answers (chat) or of its perplexity (text: teacher's
    over student's); `max_bytes` and `min_speed` are in parts of the teacher's file and decode speed."""

    keep: Share | None = None
    min_exact: Share | None = None
    max_kl: Share | None = None
    max_loss_increase: float | None = None
    min_same_top: Share | None = None
    max_bytes: Share | None = None
    min_speed: Share | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The file, but for its steps."""

    name: str
    teacher: Teacher
    data: Data
    seed: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    description: str = ""
    vocabulary: Vocabulary = Vocabulary()
    student: Student = Student()
    steps: list[dict[str, Any]] = []
    export: Export = Export()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
