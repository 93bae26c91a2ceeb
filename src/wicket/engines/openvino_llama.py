"""The embedded engine: Llama-like checkpoints on the CPU with OpenVINO, many chats at once.

Own scheduler, sampler and cache bookkeeping around one compiled graph with paged attention; see
`scheduler`, `blocks`, `sampler`, `constrain`, `graph_llama`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path

from wicket.engines.checkpoints.llama import LlamaShape
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.engines.contract import (
    MAX_PREFILL_TOKENS,
    Capabilities,
    Classify,
    Embed,
    Event,
    Generate,
    Refused,
    Score,
)
from wicket.engines.decoding.blocks import BlockPool
from wicket.engines.decoding.constrain import Constrainer, Constraint, InvalidSchema
from wicket.engines.decoding.generation import Generation, Scoring
from wicket.engines.decoding.openvino_loading import Loaded, load_decoder
from wicket.engines.decoding.paged_decoder import PagedDecoder, TokenSlice
from wicket.engines.decoding.scheduler import Scheduler, Slice

MAX_LOGPROBS = 20
# How long a step waits for a schema that is being compiled when there is nothing else to do.
SCHEMA_WAIT_S = 0.005

Run = Generation | Scoring


class OpenVinoLlama:
    """An `Engine` that answers `generate` and `score`."""

    def __init__(self, loaded: Loaded, tokenizer: Tokenizer, max_batch: int) -> None:
        self._decoder: PagedDecoder = loaded.decoder
        self._shape: LlamaShape = loaded.shape
        self._loaded = loaded
        self._tokenizer = tokenizer
        self._max_batch = max_batch
        pool = BlockPool(loaded.decoder.num_blocks, loaded.decoder.block_tokens)
        self._scheduler = Scheduler(pool, max_batch, MAX_PREFILL_TOKENS)
        self._constrainer = Constrainer(tokenizer, loaded.shape.vocab_size)
        self._runs: dict[int, Run] = {}
        self._compiling: dict[int, tuple[Generation, Future[Constraint]]] = {}
        self._pending: list[Event] = []
        self._shown = tokenizer.shown_bytes()

    def capabilities(self) -> Capabilities:
        """What this checkpoint can do here."""
        pool = self._scheduler.pool
        kv_tokens = pool.num_blocks * pool.block_tokens
        return Capabilities(
            id=0,
            engine="openvino",
            verbs=["generate", "score"],
            context_tokens=min(self._shape.context_tokens, kv_tokens),
            vocab_size=self._shape.vocab_size,
            max_batch=self._max_batch,
            kv_tokens=kv_tokens,
            weights_bytes=self._loaded.weights_bytes,
            max_logprobs=MAX_LOGPROBS,
            scheme=self._loaded.scheme,
            notes=self._loaded.notes,
        )

    def submit(self, command: Generate | Score | Embed | Classify) -> None:
        """Queue a command, or queue its refusal."""
        refusal = self._refusal(command)
        if refusal is not None:
            self._pending.append(Refused(command.id, *refusal))
        elif isinstance(command, Generate):
            run = Generation(command, self._tokenizer.eos_ids, self._shown)
            if command.max_tokens < 1:
                self._pending.extend(run.end("length"))
            elif command.schema is not None:
                self._compiling[command.id] = (run, self._constrainer.start(command.schema))
            else:
                self._begin(run)
        elif isinstance(command, Score):
            self._begin(Scoring(command))

    def cancel(self, command_id: int) -> None:
        """Stop a command; unknown ids are ignored."""
        compiling = self._compiling.pop(command_id, None)
        run: Run | None = compiling[0] if compiling is not None else self._runs.get(command_id)
        if compiling is not None:
            compiling[1].cancel()
        if run is not None:
            self._pending.extend(run.end("cancelled"))
            self._drop(run)

    def step(self) -> Sequence[Event]:
        """One forward pass over the planned slices."""
        self._take_compiled()
        events, self._pending = self._pending, []
        slices = self._scheduler.plan()
        if not slices:
            if self._compiling and not events:
                wait([future for _, future in self._compiling.values()], SCHEMA_WAIT_S)
            return events
        wanted = [self._runs[piece.sequence.id].wanted(piece) for piece in slices]
        try:
            rows = self._decoder.forward([_token_slice(*pair) for pair in zip(slices, wanted, strict=True)])
        except RuntimeError as error:
            return [*events, *self._failed(slices, error)]
        self._scheduler.advance(slices)
        begin = 0
        for piece, count in zip(slices, wanted, strict=True):
            run = self._runs[piece.sequence.id]
            events.extend(run.take(piece, rows[begin : begin + count]))
            begin += count
            if run.is_finished:
                self._drop(run)
        return events

    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is left to say."""
        return not self._runs and not self._compiling and not self._pending

    def close(self) -> None:
        """Release the model and the cache."""
        self._constrainer.close()
        self._decoder.close()

    def _begin(self, run: Run) -> None:
        self._runs[run.command.id] = run
        self._scheduler.add(run.sequence)

    def _drop(self, run: Run) -> None:
        if self._runs.pop(run.command.id, None) is not None:
            self._scheduler.remove(run.sequence)

    def _take_compiled(self) -> None:
        """Begin the generations whose schema is ready."""
        for command_id, (run, future) in list(self._compiling.items()):
            if not future.done():
                continue
            del self._compiling[command_id]
            try:
                run.constraint = future.result()
            except InvalidSchema as error:
                message = f"The JSON schema can't be used: {error}. Simplify it."
                self._pending.append(Refused(command_id, "invalid_schema", message))
            else:
                self._begin(run)

    def _failed(self, slices: Sequence[Slice], error: RuntimeError) -> list[Event]:
        """The runtime gave up on a batch: its commands end, the engine goes on."""
        line = (str(error).splitlines() or ["unknown"])[0][:200]
        events: list[Event] = []
        for piece in slices:
            run = self._runs[piece.sequence.id]
            events.append(Refused(run.command.id, "internal", f"The forward pass failed: {line}"))
            self._drop(run)
        return events

    def _refusal(self, command: Generate | Score | Embed | Classify) -> tuple[str, str] | None:
        """Why a command can't be done, as (code, message); None if it can."""
        if isinstance(command, Embed | Classify):
            return "unsupported", "This engine generates and scores text; it has no embeddings or labels."
        if command.id in self._runs or command.id in self._compiling:
            return "internal", f"Command {command.id} is already running."
        tokens = command.prompt if isinstance(command, Generate) else command.tokens
        if not tokens:
            return "unsupported", "The prompt is empty: send at least one token."
        if min(tokens) < 0 or max(tokens) >= self._shape.vocab_size:
            return "unsupported", f"Token ids go from 0 to {self._shape.vocab_size - 1}."
        if isinstance(command, Generate):
            top, output = command.logprobs or 0, max(0, command.max_tokens)
            if command.schema is not None and not self._tokenizer.eos_ids:
                return "unsupported", "A schema needs a checkpoint whose tokenizer has an end token."
        else:
            top, output = command.top, 0
        if not 0 <= top <= MAX_LOGPROBS:
            return "unsupported", f"At most {MAX_LOGPROBS} alternatives per token are given, not {top}."
        return self._too_long(len(tokens), output)

    def _too_long(self, prompt: int, output: int) -> tuple[str, str] | None:
        context = self._shape.context_tokens
        if prompt + output > context:
            message = (
                f"The prompt has {prompt} tokens and up to {output} are to follow: {prompt + output} in all, "
                f"but the model's context is {context}. Shorten the prompt or lower max_tokens."
            )
            return "context_length_exceeded", message
        if not self._scheduler.fits(prompt + output):
            pool = self._scheduler.pool
            message = (
                f"{prompt} prompt and {output} output tokens need {pool.blocks_for(prompt + output)} cache "
                f"blocks of {pool.block_tokens} tokens, and there are {pool.num_blocks}. Raise kv_tokens."
            )
            return "out_of_memory", message
        return None


def _token_slice(piece: Slice, wanted: int) -> TokenSlice:
    sequence = piece.sequence
    tokens = sequence.tokens[piece.start : piece.start + piece.count]
    return TokenSlice(tokens, piece.start, sequence.blocks, wanted)


def load(
    model_path: Path,
    *,
    kv_tokens: int,
    max_batch: int,
    threads: int | None,
    cache_dir: Path | None,
    scheme: str = "auto",
) -> OpenVinoLlama:
    """Load a checkpoint (a GGUF file or a Hugging Face folder).

    `kv_tokens` bounds the cache that all chats share; `max_batch` how many run at once; `threads` None
    means all of the machine's. `cache_dir` keeps the compiled model for the next start. `scheme` is one
    of `weights_openvino.SCHEMES`, or "auto" for the fastest that passes the self-test.
    Raises `EngineFault` when the checkpoint can't be read, or no scheme computes it rightly.
    """
    from wicket.engines.checkpoints.opening import tokenizer

    loaded = load_decoder(
        model_path, kv_tokens=kv_tokens, threads=threads, cache_dir=cache_dir, scheme=scheme
    )
    return OpenVinoLlama(loaded, tokenizer(model_path), max_batch)
