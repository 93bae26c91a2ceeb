"""OpenAI's generation requests, checked field by field and turned into commands for an engine. Pure.

Field names, ranges and error codes follow OpenAI's API reference (chat/completions and completions);
`top_k`, `min_p`, `repetition_penalty` and `ignore_eos` are vLLM's additions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from wicket.engines.contract import Generate, Sampling
from wicket.engines.host import schema
from wicket.engines.host.fields import Body, bad_value
from wicket.engines.host.messages import Messages, Tool, Turn, turns
from wicket.errors import CallerFault

MAX_CHOICES = 8
MAX_PROMPTS = 16
MAX_LOGPROBS = 20
DEFAULT_COMPLETION_TOKENS = 16
DEFAULT_OUTPUT_TOKENS = 1_024  # of a chat without a limit: a small model that rambles would fill its context
_SEED_MASK = (1 << 63) - 1

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Stop = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Stops = Annotated[list[_Stop], msgspec.Meta(max_length=4)]
_Bias = Annotated[dict[str, Annotated[float, msgspec.Meta(ge=-100, le=100)]], msgspec.Meta(max_length=1024)]

_SAMPLING: dict[str, tuple[Any, Any]] = {
    "temperature": (Annotated[float, msgspec.Meta(ge=0, le=2)], 1.0),
    "top_p": (Annotated[float, msgspec.Meta(gt=0, le=1)], 1.0),
    "top_k": (Annotated[int, msgspec.Meta(ge=-1, le=1_000_000)], 0),
    "min_p": (_Probability, 0.0),
    "repetition_penalty": (Annotated[float, msgspec.Meta(gt=0, le=10)], 1.0),
    "presence_penalty": (_Penalty, 0.0),
    "frequency_penalty": (_Penalty, 0.0),
}
SAMPLING_FIELDS = tuple(_SAMPLING)
_SHARED = frozenset(_SAMPLING) | {
    "model",
    "n",
    "max_tokens",
    "stop",
    "seed",
    "logit_bias",
    "logprobs",
    "stream",
    "stream_options",
    "ignore_eos",
    # Taken without effect: they are about the caller, not about the answer.
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
}
CHAT_FIELDS = _SHARED | {
    "messages",
    "max_completion_tokens",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "modalities",
}
COMPLETION_FIELDS = _SHARED | {"prompt", "echo", "best_of"}


class Options(msgspec.Struct, frozen=True):
    """What chat and completion requests share. `logprobs` counts alternatives; None for no logprobs."""

    model: str
    n: int
    max_tokens: int | None
    sampling: Sampling
    stop: list[str]
    logprobs: int | None
    ignore_eos: bool
    is_stream: bool
    has_usage: bool
    dropped: tuple[str, ...]
    is_usual_sampling: bool = False  # neither temperature nor top_p was asked for


class ChatCall(msgspec.Struct, frozen=True):
    """A chat request. `schema` is what the answer must satisfy; `tool_choice` names a function or a mode."""

    options: Options
    turns: list[Turn]
    schema: dict[str, Any] | None
    tools: list[Tool]
    tool_choice: Literal["none", "auto", "required"]
    only_tool: str | None
    is_parallel: bool


class CompletionCall(msgspec.Struct, frozen=True):
    """A text completion request; prompts are text or token ids."""

    options: Options
    prompts: list[str] | list[list[int]]
    is_echo: bool


class Limits(msgspec.Struct, frozen=True):
    """What the loaded engine takes: tokens of context, ids below `vocab_size`, alternatives per token.

    `temperature` and `top_p` are the checkpoint's own, for requests that name neither.
    """

    context_tokens: int
    vocab_size: int
    max_logprobs: int
    temperature: float = 1.0
    top_p: float = 1.0


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class _JsonSchema(msgspec.Struct, frozen=True):
    schema: dict[str, Any]
    name: str = ""


class _Format(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _NamedTool(msgspec.Struct, frozen=True):
    function: _Named
    type: Literal["function"]


def chat(body: bytes) -> ChatCall:
    """Read a chat/completions body. Raises `CallerFault` naming the field."""
    fields = Body(body)
    for old in ("functions", "function_call"):
        if fields.has(old):
            raise CallerFault("unsupported_parameter", f"'{old}' is not supported: use 'tools'.", param=old)
    fields.read("modalities", list[Literal["text"]])
    logprobs = _chat_logprobs(fields)
    limit = fields.read("max_completion_tokens", _Count, fields.read("max_tokens", _Count))
    options = _options(fields, CHAT_FIELDS, limit, logprobs)
    conversation = turns(fields.need("messages", Messages))
    tools = fields.read("tools", Annotated[list[Tool], msgspec.Meta(max_length=128)], [])
    mode, only = _tool_choice(fields, tools)
    is_parallel = fields.read("parallel_tool_calls", bool, True)
    return ChatCall(options, conversation, _format(fields), tools, mode, only, is_parallel)


def completion(body: bytes) -> CompletionCall:
    """Read a completions body. Raises `CallerFault` naming the field."""
    fields = Body(body)
    logprobs = fields.read("logprobs", Annotated[int, msgspec.Meta(ge=0, le=MAX_LOGPROBS)])
    is_echo = fields.read("echo", bool, False)
    least = 0 if is_echo else 1
    limit = fields.read("max_tokens", Annotated[int, msgspec.Meta(ge=least)], DEFAULT_COMPLETION_TOKENS)
    options = _options(fields, COMPLETION_FIELDS, limit, logprobs)
    best_of = fields.read("best_of", _Count, options.n)
    if best_of != options.n:
        raise bad_value("best_of", "only a value equal to n is supported")
    kind = str | list[str] | list[int | list[int]]
    prompts = _prompts(fields.need("prompt", list[Any] | str), fields, kind)
    if is_echo and options.is_stream:
        raise bad_value("echo", "it is not supported with stream")
    return CompletionCall(options, prompts, is_echo)


def _prompts(given: Any, fields: Body, kind: Any) -> Any:
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(item, int) and not isinstance(item, bool) for item in given):
        return [fields.need("prompt", list[Annotated[int, msgspec.Meta(ge=0)]])]
    if not given or len(given) > MAX_PROMPTS:
        raise bad_value("prompt", f"expected 1 to {MAX_PROMPTS} prompts")
    if isinstance(given[0], str):
        return fields.need("prompt", list[str])
    return fields.need(
        "prompt", list[Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(min_length=1)]]
    )


def _options(fields: Body, known: frozenset[str], limit: int | None, logprobs: int | None) -> Options:
    stop = fields.read("stop", _Stop | _Stops, [])
    is_stream = fields.read("stream", bool, False)
    stream_options = fields.read("stream_options", _StreamOptions, _StreamOptions())
    if fields.has("stream_options") and not is_stream:
        raise bad_value("stream_options", "it goes with stream: true only")
    return Options(
        model=fields.read("model", str, ""),
        n=fields.read("n", Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)], 1),
        max_tokens=limit,
        sampling=_sampling(fields),
        is_usual_sampling=not (fields.has("temperature") or fields.has("top_p")),
        stop=[stop] if isinstance(stop, str) else stop,
        logprobs=logprobs,
        ignore_eos=fields.read("ignore_eos", bool, False),
        is_stream=is_stream,
        has_usage=is_stream and bool(stream_options.include_usage),
        dropped=fields.unknown(known),
    )


def _sampling(fields: Body) -> Sampling:
    values = {name: fields.read(name, kind, default) for name, (kind, default) in _SAMPLING.items()}
    values["top_k"] = max(0, values["top_k"])
    seed = fields.read("seed", int)
    bias = fields.read("logit_bias", _Bias, {})
    try:
        biases = {int(token): value for token, value in bias.items()}
    except ValueError:
        raise bad_value("logit_bias", "its keys must be token ids") from None
    return Sampling(**values, seed=None if seed is None else seed & _SEED_MASK, logit_bias=biases)


def _chat_logprobs(fields: Body) -> int | None:
    top = fields.read("top_logprobs", Annotated[int, msgspec.Meta(ge=0, le=MAX_LOGPROBS)])
    if fields.read("logprobs", bool, False):
        return top or 0
    if top:
        raise bad_value("top_logprobs", "it needs logprobs: true")
    return None


def _format(fields: Body) -> dict[str, Any] | None:
    given = fields.read("response_format", _Format)
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return {"type": "object"}
    if given.json_schema is None:
        raise bad_value("response_format.json_schema", "it is required with type json_schema")
    schema.bounded(given.json_schema.schema, "response_format")
    chosen: dict[str, Any] = given.json_schema.schema
    return chosen


def _tool_choice(fields: Body, tools: list[Tool]) -> tuple[Literal["none", "auto", "required"], str | None]:
    names = [tool.function.name for tool in tools]
    if len(set(names)) != len(names):
        raise bad_value("tools", "two functions have the same name")
    for index, tool in enumerate(tools):
        if tool.function.parameters is not None:
            schema.bounded(tool.function.parameters, f"tools[{index}].function.parameters")
    given = fields.read("tool_choice", Literal["none", "auto", "required"] | _NamedTool)
    if given is None:
        return ("auto" if tools else "none"), None
    if isinstance(given, str):
        if given == "required" and not tools:
            raise bad_value("tool_choice", "there are no tools to choose from")
        mode: Literal["none", "auto", "required"] = given if tools else "none"  # type: ignore[assignment]
        return mode, None
    if given.function.name not in names:
        raise bad_value("tool_choice", f"there is no tool named {given.function.name[:64]!r}")
    return "required", given.function.name


def output_tokens(options: Options, prompt_tokens: int, limits: Limits) -> int:
    """How many tokens may be generated; raises `CallerFault` with the numbers if they don't fit."""
    context, wanted = limits.context_tokens, options.max_tokens
    if prompt_tokens + (1 if wanted is None else wanted) <= context:
        return min(context - prompt_tokens, DEFAULT_OUTPUT_TOKENS) if wanted is None else wanted
    if wanted is None or prompt_tokens >= context:
        detail = f"your prompt has {prompt_tokens} tokens. Please shorten it"
    else:
        total = prompt_tokens + wanted
        detail = f"you requested {total} tokens ({prompt_tokens} in the prompt, {wanted} in the completion)"
        detail += ". Please shorten the prompt or the completion"
    message = f"This model's maximum context length is {context} tokens. However, {detail}."
    raise CallerFault("context_length_exceeded", message, param="messages")


def check(options: Options, limits: Limits) -> None:
    """What only the loaded engine can tell. Raises `CallerFault` naming the field."""
    if any(not 0 <= token < limits.vocab_size for token in options.sampling.logit_bias):
        raise bad_value("logit_bias", f"token ids of this model are below {limits.vocab_size}")
    if options.logprobs is not None and options.logprobs > limits.max_logprobs:
        raise bad_value("top_logprobs", f"this engine gives at most {limits.max_logprobs}")


def generations(
    options: Options, prompt: list[int], ids: list[int], limits: Limits, *, schema: str | None, salt: str
) -> list[Generate]:
    """One command per id, all from the same prompt; with a seed, each choice has its own."""
    check(options, limits)
    max_tokens = output_tokens(options, len(prompt), limits)
    sampling = options.sampling
    if options.is_usual_sampling:
        sampling = msgspec.structs.replace(sampling, temperature=limits.temperature, top_p=limits.top_p)
    commands = []
    for index, command_id in enumerate(ids):
        seed = None if sampling.seed is None else (sampling.seed + index) & _SEED_MASK
        commands.append(
            Generate(
                id=command_id,
                prompt=prompt,
                max_tokens=max_tokens,
                sampling=msgspec.structs.replace(sampling, seed=seed),
                stop=options.stop,
                ignore_eos=options.ignore_eos,
                logprobs=options.logprobs,
                schema=schema,
                salt=salt,
            )
        )
    return commands
