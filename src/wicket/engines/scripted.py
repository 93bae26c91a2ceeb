"""An engine that says what its script says: for tests, and for faults that a real one can't be made to show.

The checkpoint is a JSON file (`NAME.script.json`, see `Script`). A prompt may also carry directives:
`[[crash 3]]` dies at the third token, `[[hang 3]]` stops answering there, `[[garbage 3]]` sends what is
not an event, `[[slow 20]]` takes 20 ms a step, `[[say 500]]` answers with that many tokens, and with
`[[doubt 250]]` each token of the answer and its end have the log-probability -0.25.
Tokens are the UTF-8 bytes of the text; 256 and 257 begin and end a text.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from wicket.engines import contract
from wicket.errors import EngineFault

_BOS, _EOS = 256, 257
_VOCAB_SIZE = 258
_DIRECTIVE = re.compile(r"\[\[(crash|hang|garbage|slow|say|doubt) (\d{1,6})\]\]")
_LAST_USER = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", re.DOTALL)
_FLAT_LOGPROB = -math.log(_VOCAB_SIZE)


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the engine pretends to be. `reply` "" echoes the last user message (or the prompt)."""

    reply: str = ""
    refuse: str = ""
    load_ms: int = 0
    step_ms: int = 0
    crash_at_load: bool = False
    context_tokens: int = 4096
    chat_template: str | None = None
    verbs: tuple[str, ...] = ("generate", "score", "embed", "classify")


def read_script(path: Path) -> Script:
    """The script in a file. Raises `EngineFault` if it isn't one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Script)
    except (OSError, msgspec.DecodeError) as error:
        raise EngineFault("bad_checkpoint", f"{path} is not a script: {error}.") from None


class ByteTokenizer:
    """One token per UTF-8 byte."""

    eos_ids: list[int] = [_EOS]
    bos_id: int | None = _BOS
    adds_bos = False
    special_tokens: dict[str, int] = {"<bos>": _BOS, "<eos>": _EOS}
    vocab_size = _VOCAB_SIZE

    def __init__(self, chat_template: str | None) -> None:
        self.chat_template = chat_template

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """The text's bytes; this vocabulary spells no special token in text."""
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the byte tokens."""
        return bytes(token for token in ids if token < _BOS).decode(errors="replace")

    def token_bytes(self) -> list[bytes]:
        """The bytes of every token."""
        return [*(bytes([token]) for token in range(_BOS)), b"<bos>", b"<eos>"]


def tokenizer(model_path: Path) -> ByteTokenizer:
    """The tokenizer that goes with a script."""
    return ByteTokenizer(read_script(model_path).chat_template)


class _Run:
    """One generation under way: what it will say, and how far it is."""

    def __init__(self, command: contract.Generate, script: Script) -> None:
        self.command = command
        prompt = ByteTokenizer(None).decode(command.prompt)
        found = {kind: int(number) for kind, number in _DIRECTIVE.findall(prompt)}
        self.directives = found
        self.step_ms = found.get("slow", script.step_ms)
        self.logprob = -found["doubt"] / 1000 if "doubt" in found else _FLAT_LOGPROB
        self.tokens, self.ends_itself = self._plan(prompt, script)
        self.position = 0
        self.is_cancelled = False

    def _plan(self, prompt: str, script: Script) -> tuple[bytes, bool]:
        command = self.command
        users = _LAST_USER.findall(prompt)
        reply = script.reply or _DIRECTIVE.sub("", users[-1] if users else prompt).strip() or "nothing"
        if command.schema is not None:
            reply = msgspec.json.encode(instance(msgspec.json.decode(command.schema))).decode()
        elif "say" in self.directives:
            reply = ("word " * self.directives["say"])[: self.directives["say"]]
        elif command.sampling.temperature > 0:
            source = random.Random(command.sampling.seed)  # noqa: S311 - repeatable by design
            reply = f"{reply} {source.randrange(10**9)}"
        cut = min((at for stop in command.stop if (at := reply.find(stop)) >= 0), default=None)
        if cut is not None:
            reply = reply[:cut]
        data = reply.encode()
        if command.ignore_eos and cut is None:
            data = (data * (command.max_tokens // max(1, len(data)) + 1))[: command.max_tokens]
        return data[: command.max_tokens], len(data) <= command.max_tokens and not command.ignore_eos

    def misbehave(self) -> bool:
        """Do what the directives ask at this token; True if garbage is due."""
        due = self.position + 1
        if self.directives.get("crash") == due:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.directives.get("hang") == due:
            signal.pause()
        return self.directives.get("garbage") == due


class ScriptedEngine:
    """The contract's `Engine`, without a model."""

    def __init__(self, script: Script, kv_tokens: int, max_batch: int) -> None:
        self._script = script
        self._kv_tokens = kv_tokens
        self._max_batch = max_batch
        self._waiting: list[contract.Generate] = []
        self._running: list[_Run] = []
        self._events: list[contract.Event] = []

    def capabilities(self) -> contract.Capabilities:
        """What the script pretends to be."""
        script = self._script
        return contract.Capabilities(
            id=0,
            engine="scripted",
            verbs=list(script.verbs),
            context_tokens=script.context_tokens,
            vocab_size=_VOCAB_SIZE,
            max_batch=self._max_batch,
            kv_tokens=self._kv_tokens,
            weights_bytes=0,
            max_logprobs=20,
            scheme="none",
            notes=["scripted: there is no model"],
        )

    def submit(
        self, command: contract.Generate | contract.Score | contract.Embed | contract.Classify
    ) -> None:
        """Take a command in."""
        if type(command).__struct_config__.tag not in self._script.verbs:
            self._events.append(contract.Refused(command.id, "unsupported", "The script has no such verb."))
        elif isinstance(command, contract.Generate):
            self._waiting.append(command)
        elif isinstance(command, contract.Score):
            self._events.append(contract.Scored(command.id, _scores(command.tokens, command.top)))
        elif isinstance(command, contract.Embed):
            vectors = [_vector(text) for text in command.texts]
            self._events.append(contract.Embedded(command.id, vectors, sum(map(len, command.texts))))
        else:
            labels = [[("long", 0.75), ("short", 0.25)] for _ in command.texts]
            self._events.append(contract.Classified(command.id, labels, sum(map(len, command.texts))))

    def cancel(self, command_id: int) -> None:
        """Forget a command."""
        self._waiting = [command for command in self._waiting if command.id != command_id]
        for run in self._running:
            if run.command.id == command_id:
                run.is_cancelled = True

    def step(self) -> Sequence[contract.Event]:
        """One token for each running generation."""
        while self._waiting and len(self._running) < self._max_batch:
            self._running.append(_Run(self._waiting.pop(0), self._script))
        events, self._events = self._events, []
        delay_ms = max((run.step_ms for run in self._running), default=0)
        if delay_ms:
            time.sleep(delay_ms / 1000)
        for run in self._running:
            events.extend(_advance(run))
        self._running = [run for run in self._running if run.position >= 0]
        return events

    def is_idle(self) -> bool:
        """Whether nothing is waiting or running."""
        return not (self._waiting or self._running or self._events)

    def close(self) -> None:
        """Nothing is held."""


def _advance(run: _Run) -> list[contract.Event]:
    command = run.command
    if run.is_cancelled:
        return [_done(run, "cancelled")]
    events: list[contract.Event] = []
    if run.position < len(run.tokens):
        if run.misbehave():
            return [cast(contract.Event, contract.Describe(command.id))]
        # A character of several bytes comes out whole, with its last byte, as the contract asks.
        start = run.position
        end = start + 1
        while end < len(run.tokens) and run.tokens[end] & 0xC0 == 0x80:
            end += 1
        ids = list(run.tokens[start:end])
        text = run.tokens[start:end].decode(errors="replace")
        scores = [] if command.logprobs is None else _drawn(ids, command.logprobs, run.logprob)
        events.append(contract.Piece(command.id, text, ids, scores))
        run.position = end
    if run.position >= len(run.tokens):
        events.append(_done(run, "stop" if run.ends_itself else "length"))
    return events


def _done(run: _Run, reason: str) -> contract.Done:
    count = run.position
    run.position = -1
    top = run.command.logprobs
    end = None if top is None or reason != "stop" else _drawn([_EOS], top, run.logprob)[0]
    return contract.Done(run.command.id, reason, len(run.command.prompt), 0, count, end)


def _drawn(tokens: Sequence[int], top: int, logprob: float) -> list[contract.TokenLogprob]:
    """Tokens that are all as likely, beside `top` others of no interest."""
    others = [(token, _FLAT_LOGPROB) for token in range(65, 65 + top)]
    return [contract.TokenLogprob(token, logprob, others) for token in tokens]


def _scores(tokens: Sequence[int], top: int) -> list[contract.TokenLogprob]:
    """Every token is as likely as any other; the first of a scored text has nothing before it."""
    scores = _drawn(tokens, top, _FLAT_LOGPROB)
    if scores:
        scores[0] = contract.TokenLogprob(tokens[0], 0.0, [])
    return scores


def _vector(text: str) -> list[float]:
    raw = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:8]]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def instance(schema: Any, depth: int = 0, root: Any = None) -> Any:
    """Some value that satisfies a plain JSON schema: constants, enums, objects, arrays, simple types."""
    if not isinstance(schema, dict) or depth > 16:
        return None
    root = schema if root is None else root
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        found = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return instance(found, depth + 1, root)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return instance(schema[choice][0], depth + 1, root)
    kind = schema.get("type", "string")
    if kind == "object":
        return {
            name: instance(value, depth + 1, root) for name, value in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [instance(schema.get("items", {}), depth + 1, root)] * schema.get("minItems", 1)
    return {"string": "scripted", "integer": 7, "number": 0.5, "boolean": True}.get(kind)


def load(
    model_path: Path,
    *,
    kv_tokens: int = 16384,
    max_batch: int = 16,
    threads: int | None = None,
    cache_dir: Path | None = None,
    scheme: str = "auto",
) -> ScriptedEngine:
    """The engine that a script describes. Raises `EngineFault` for a bad script or one that refuses."""
    script = read_script(model_path)
    time.sleep(script.load_ms / 1000)
    if script.refuse:
        raise EngineFault("bad_checkpoint", script.refuse)
    if script.crash_at_load:
        os.kill(os.getpid(), signal.SIGKILL)
    return ScriptedEngine(script, kv_tokens, max_batch)
