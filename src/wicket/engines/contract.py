"""What an engine is: one loaded checkpoint, stepped by one loop in a process of its own.

The loop (`core.py`) owns the engine and polls commands between steps, so no engine method may take
longer than one step: prefill in chunks of at most `MAX_PREFILL_TOKENS` tokens, one decode step for all
running sequences. HTTP, the queue, chat templates and tool parsing live outside, in `host.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

MAX_PREFILL_TOKENS = 256


class Sampling(msgspec.Struct, frozen=True, array_like=True):
    """How the next token is drawn; the defaults draw from the untouched distribution.

    `temperature` 0 is greedy. `top_k` 0, `top_p` 1 and `min_p` 0 switch the filter off.
    `seed` makes the draw repeatable for the same engine, checkpoint and batch-independent arithmetic.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    logit_bias: dict[int, float] = {}


# Commands: what the host asks of the core.


class Generate(msgspec.Struct, frozen=True, tag="generate"):
    """Continue `prompt` (token ids). `logprobs` is the number of alternatives per token, None for none.

    `schema` is a JSON schema (JSON text) the output must satisfy. `salt` keeps one tenant's prefix cache
    from answering another's: equal prefixes are shared only under equal salts.
    """

    id: int
    prompt: list[int]
    max_tokens: int
    sampling: Sampling = Sampling()
    stop: list[str] = []
    stop_token_ids: list[int] = []
    ignore_eos: bool = False
    logprobs: int | None = None
    schema: str | None = None
    salt: str = ""


class Score(msgspec.Struct, frozen=True, tag="score"):
    """Log-probability of each token given those before it; `top` alternatives per position if not 0."""

    id: int
    tokens: list[int]
    top: int = 0


class Embed(msgspec.Struct, frozen=True, tag="embed"):
    """Unit-length vectors for texts."""

    id: int
    texts: list[str]


class Classify(msgspec.Struct, frozen=True, tag="classify"):
    """The `top` likeliest labels (0: all) for each text, with their probabilities."""

    id: int
    texts: list[str]
    top: int = 0


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop command `id`; its blocks are free after the current step."""

    id: int


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Ask for `Capabilities`."""

    id: int


Command = Generate | Score | Embed | Classify | Cancel | Describe


# Events: what the core answers.


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """One token's natural-log probability with its `top` alternatives as (token id, logprob), best first."""

    token_id: int
    logprob: float
    top: list[tuple[int, float]] = []


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """Newly decoded text of a generation: whole UTF-8 characters, never part of a stop string."""

    id: int
    text: str
    token_ids: list[int]
    logprobs: list[TokenLogprob] = []


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A generation's end; counts are in tokens. `cached_tokens` of the prompt came from the prefix cache.

    `end` is the token that ended it, where one was drawn and logprobs were asked for: it has no text, so no
    piece carries it, but how sure a model is that its answer is complete belongs to how sure it is at all.
    """

    id: int
    finish_reason: str  # "stop" | "length" | "cancelled"
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    end: TokenLogprob | None = None


class Scored(msgspec.Struct, frozen=True, tag="scored"):
    """One entry per token of the command; the first token has nothing before it and logprob 0."""

    id: int
    logprobs: list[TokenLogprob]


class Embedded(msgspec.Struct, frozen=True, tag="embedded"):
    """Vectors in the order of the texts, and the number of tokens read."""

    id: int
    vectors: list[list[float]]
    prompt_tokens: int


class Certainty(msgspec.Struct, frozen=True, array_like=True):
    """How sure a classifier is of its best label: natural-log probability, how far that is above the second
    label's, entropy over all labels in nats, and the cosine to the mean of the label's training texts."""

    logprob: float
    margin: float
    entropy: float
    similarity: float


class Classified(msgspec.Struct, frozen=True, tag="classified"):
    """For each text, (label, probability) pairs, best first, and how sure that is where it is known."""

    id: int
    labels: list[list[tuple[str, float]]]
    prompt_tokens: int
    certainties: list[Certainty] = []


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The command can't be done. `code` is a key of `ENGINE_CODES`."""

    id: int
    code: str
    message: str


class Capabilities(msgspec.Struct, frozen=True, tag="capabilities"):
    """What this engine with this checkpoint can do. `verbs` are the commands' tags it answers."""

    id: int
    engine: str
    verbs: list[str]
    context_tokens: int
    vocab_size: int
    max_batch: int
    kv_tokens: int
    weights_bytes: int
    max_logprobs: int
    scheme: str  # the quantisation format that runs, e.g. "int8", "f32"
    notes: list[str] = []


Event = Piece | Done | Scored | Embedded | Classified | Refused | Capabilities

ENGINE_CODES = {
    "unsupported": "the engine has no such verb or option",
    "context_length_exceeded": "the prompt and the output do not fit the context",
    "invalid_schema": "the JSON schema can't be compiled, or costs more than the bound",
    "out_of_memory": "the KV cache can't hold this request even alone",
    "internal": "a fault in the engine",
}


class Engine(Protocol):
    """One checkpoint. Every method returns promptly; `step` does the work.

    Raises `errors.EngineFault` when the checkpoint can't be loaded or is hostile.
    """

    def capabilities(self) -> Capabilities:
        """What can be asked of it (with id 0)."""
        ...

    def submit(self, command: Generate | Score | Embed | Classify) -> None:
        """Take a command in; it is answered by events out of `step`, a refusal included."""
        ...

    def cancel(self, command_id: int) -> None:
        """Forget a command: a running generation answers `Done("cancelled")` at the next step."""
        ...

    def step(self) -> Sequence[Event]:
        """One bounded unit of work: a prefill chunk and a decode step, or one batch of embeddings."""
        ...

    def is_idle(self) -> bool:
        """Whether `step` would have nothing to do."""
        ...

    def close(self) -> None:
        """Release memory; the engine is not used afterwards."""
        ...
