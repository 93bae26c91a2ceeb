"""What the scripted upstream is told to do: rules as data, and which rule a request meets.

A script is TOML or JSON: `[[rules]]`, each with conditions (all must hold) and actions. The first rule that
matches answers; without one, or without an action in it, the answer is a plain good one. `[[greetings]]` are
for what goes wrong with a connection before there is a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from wicket.errors import CallerFault, ConfigFault
from wicket.wire.form import read_form

_GEMINI = re.compile(r"/models/(.+):(?:streamG|g)enerateContent")
_GEMINI_EMBED = re.compile(r"/models/(.+):(?:batchE|e)mbedContents?$")
_BEDROCK = re.compile(r"/model/([^/?]+)/converse(-stream)?$")
_LIMITS = (
    ("generationConfig", "maxOutputTokens"),
    ("inferenceConfig", "maxTokens"),
    ("options", "num_predict"),
    ("", "max_completion_tokens"),
    ("", "max_tokens"),
)
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]*)"')
_PIECE = re.compile(r"\s*\S+\s*?")


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Conditions. Times are seconds since the script was loaded."""

    model: str = ""  # equal, or a prefix if it ends with "*"
    path: str = ""  # the target's end, such as "/chat/completions"
    key: str = ""  # the API key
    stream: bool | None = None
    contains: str = ""  # anywhere in the body
    last_role: str = ""  # of the last message
    over_tokens: int | None = None  # the prompt is longer
    from_nth: int = 1  # among the requests that meet the other conditions, counted from 1
    to_nth: int | None = None
    every_nth: int = 1
    from_s: float = 0.0
    to_s: float | None = None
    period_s: float | None = None  # flapping: from_s and to_s are times within each period


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. Counts of tokens and frames start at 1; `None` and empty mean "as a good upstream does"."""

    when: When = When()
    # the whole answer
    status: int = 200
    error: str = ""  # one of `scripted_errors.ERRORS`
    body: str | dict[str, Any] | None = None  # text as it is, an object as JSON
    headers: dict[str, str] = {}
    content_length_off: int = 0  # added to the truth
    gzip: bool = False
    # the transport
    read_bytes_s: int | None = None  # read the request no faster
    reset: bool = False  # RST before the head
    close: bool = False  # FIN before the head
    silent: bool = False  # never answer
    hang_up: bool = False  # `Connection: close` after the answer
    split_every: int | None = None  # write pieces of at most so many bytes
    split_seed: int | None = None  # write pieces of random sizes
    piece_gap_ms: float = 0.0  # between such pieces
    # the stream
    first_token_ms: float = 0.0
    gap_ms: float = 0.0
    cut_after: int | None = None  # tokens, then the connection ends
    rst: bool = False  # with cut_after: RST instead of FIN
    stall_after: int | None = None  # tokens, then silence for ever
    malformed_frame: int | None = None
    error_frame_after: int | None = None  # tokens, then an error object in the stream
    huge_frame: int = 0  # bytes of content in one frame, before the text
    done: bool = True
    usage: bool = True
    role_first: bool = True
    # the content
    text: str | None = None
    reasoning: str = ""
    signature: str = (
        ""  # Anthropic's and Bedrock's on the reasoning, Gemini's on the first call or the last text
    )
    tool_calls: list[dict[str, str]] = []  # {"name", "arguments"}
    refusal: str = ""
    finish_reason: str = ""


class Greeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a connection instead of talking to it. Connections and times count from the script.

    `fault`: "cut" and "reset" end it after the client's first bytes, which over TLS is in the middle of the
    handshake; "silent" never answers them; "plain" answers in plain HTTP, as a port without TLS does;
    "close" ends it at once.
    """

    fault: Literal["cut", "reset", "silent", "plain", "close"]
    from_nth: int = 1
    to_nth: int | None = None
    every_nth: int = 1
    from_s: float = 0.0
    to_s: float | None = None
    period_s: float | None = None


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens, for the log's `cost_usd`."""

    input: float = 0.0
    output: float = 0.0


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything. `answers` maps the last user message to the text of the answer."""

    rules: list[Rule] = []
    greetings: list[Greeting] = []
    models: tuple[str, ...] = ("scripted",)
    text: str = "Paris is the capital of France."
    answers: dict[str, str] = {}
    answers_file: str = ""  # JSONL of {"prompt", "answer"}, added to `answers`
    prices: dict[str, Price] = {}
    dimensions: int = 8  # of embeddings
    looks: int = 1  # after so many what goes on in the background, or as a batch, is over


class Ask(msgspec.Struct, frozen=True):
    """What a rule is matched against: a request as far as it was understood."""

    method: str
    path: str
    key: str
    body: bytes
    fields: dict[str, Any]

    form: str = "openai"  # or another name of `scripted_answer`: in which dialect it is answered

    @property
    def model(self) -> str:
        """The model asked for, "" if none."""
        path = self.path.partition("?")[0]
        named = _GEMINI.search(self.path) or _GEMINI_EMBED.search(path) or _BEDROCK.search(path)
        return unquote(named[1]) if named else str(self.fields.get("model", ""))

    @property
    def is_stream(self) -> bool:
        """Whether a stream was asked for. Ollama streams unless it is told not to."""
        path = self.path.partition("?")[0]
        if path.endswith("/api/chat"):
            return self.fields.get("stream") is not False
        is_named = path.endswith((":streamGenerateContent", "/converse-stream"))
        is_asked = self.fields.get("stream") is True or self.fields.get("stream_format") == "sse"
        return is_asked or is_named

    @property
    def max_tokens(self) -> int | None:
        """The limit on the answer's tokens."""
        for outer, inner in _LIMITS:
            config = self.fields.get(outer) if outer else self.fields
            limit = config.get(inner) if isinstance(config, dict) else None
            if isinstance(limit, int) and limit:
                return limit
        return None


def parse_script(data: bytes, *, toml: bool) -> Script:
    """Raises `ConfigFault` naming the field."""
    try:
        if toml:
            return msgspec.toml.decode(data, type=Script)
        return msgspec.json.decode(data, type=Script)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigFault("bad_script", f"The script can't be read: {error}.") from None


def parse_answers(data: bytes) -> dict[str, str]:
    """Lines of {"prompt", "answer"}. Raises `ConfigFault` naming the line."""
    answers: dict[str, str] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
            answers[str(row["prompt"])] = str(row["answer"])
        except (msgspec.DecodeError, KeyError) as error:
            raise ConfigFault("bad_script", f"Line {number} of the answers can't be read: {error}.") from None
    return answers


def understand(method: str, path: str, key: str, body: bytes, headers: Iterable[str] = ()) -> Ask:
    """Read the body as far as it is an object or a form. `headers` are the request's names, lower-case."""
    try:
        if body.startswith(b"--"):
            fields = form_fields(body)
        else:
            fields = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
    except (msgspec.DecodeError, CallerFault):
        fields = {}
    return Ask(method, path, key, body, fields, _form(path.partition("?")[0], set(headers)))


def form_fields(body: bytes) -> dict[str, Any]:
    """The fields of a form whose boundary is its first line; a file is {}. Raises `CallerFault`."""
    boundary = body[2 : body.find(b"\r\n")]
    form = read_form(body, boundary, typed=("stream", "n", "partial_images"), once=())
    return {name: msgspec.json.decode(raw) for name, raw in form.items()}


def _form(path: str, headers: set[str]) -> str:
    """The dialect, by the path; lists of models are at the same one everywhere, so headers tell."""
    is_list = path.endswith("/models")
    if path.endswith("/messages") or (is_list and "anthropic-version" in headers):
        return "anthropic"
    is_gemini = _GEMINI.search(path) or _GEMINI_EMBED.search(path)
    if is_gemini or (is_list and "x-goog-api-key" in headers):
        return "gemini"
    if _BEDROCK.search(path):
        return "bedrock"
    if path.endswith(("/api/chat", "/api/embed", "/api/tags")):
        return "ollama"
    return "cohere" if path.endswith(("/chat", "/embed", "/v2/rerank")) else "openai"


def choose(script: Script, ask: Ask, seen: dict[int, int], at_s: float) -> Rule:
    """The rule for a request that came `at_s` after the script; counts into `seen`, by the rule's index."""
    for index, rule in enumerate(script.rules):
        when = rule.when
        if not (_meets(when, ask) and _is_time(when, at_s)):
            continue
        nth = seen[index] = seen.get(index, 0) + 1
        if nth < when.from_nth or (when.to_nth is not None and nth > when.to_nth):
            continue
        if (nth - when.from_nth) % when.every_nth == 0:
            return rule
    return Rule()


def _meets(when: When, ask: Ask) -> bool:
    if when.model and not _same_model(when.model, ask.model):
        return False
    if when.path and not ask.path.split("?", 1)[0].endswith(when.path):
        return False
    if (when.key and when.key != ask.key) or (when.stream is not None and when.stream != ask.is_stream):
        return False
    if when.contains and when.contains.encode() not in ask.body:
        return False
    if when.last_role and last_role(ask.fields) != when.last_role:
        return False
    return when.over_tokens is None or prompt_tokens(ask.fields) > when.over_tokens


def _same_model(wanted: str, model: str) -> bool:
    return model.startswith(wanted[:-1]) if wanted.endswith("*") else model == wanted


def greet(script: Script, nth: int, at_s: float) -> str:
    """The fault for the `nth` connection since the script, "" to talk to it."""
    for one in script.greetings:
        is_turn = nth >= one.from_nth and (one.to_nth is None or nth <= one.to_nth)
        if is_turn and (nth - one.from_nth) % one.every_nth == 0 and _is_time(one, at_s):
            return one.fault
    return ""


def pace(script: Script, path: str, key: str, beginning: bytes) -> int | None:
    """How fast a request is read, in bytes a second, None for at once.

    A body's rule isn't known before its end, so only path, key, and a model named in the first bytes are
    looked at; of several rules the slowest counts.
    """
    found = _MODEL.search(beginning)
    model = found[1].decode(errors="replace") if found else ""
    rates = [
        rule.read_bytes_s
        for rule in script.rules
        if rule.read_bytes_s
        and path.split("?", 1)[0].endswith(rule.when.path)
        and rule.when.key in ("", key)
        and (not rule.when.model or _same_model(rule.when.model, model))
    ]
    return min(rates, default=None)


def _is_time(when: When | Greeting, at_s: float) -> bool:
    if when.period_s:
        at_s %= when.period_s
    return at_s >= when.from_s and (when.to_s is None or at_s < when.to_s)


def pieces(text: str) -> list[str]:
    """A text's tokens here: one per word, each with the white space before it; joined they are the text."""
    found = _PIECE.findall(text)
    end = sum(map(len, found))
    if end < len(text):
        found = [*found[:-1], (found[-1] if found else "") + text[end:]]
    return found


def prompt_tokens(fields: dict[str, Any]) -> int:
    """Words of the messages, the prompt or the input."""
    total = sum(len(pieces(_text(message.get("content")))) for message in _messages(fields))
    for name in ("prompt", "input"):
        value = fields.get(name)
        texts = value if isinstance(value, list) else [value]
        total += sum(len(pieces(text)) for text in texts if isinstance(text, str))
    return total


def last_role(fields: dict[str, Any]) -> str:
    """The last message's role."""
    messages = _messages(fields)
    return str(messages[-1].get("role", "")) if messages else ""


def last_user_text(fields: dict[str, Any]) -> str:
    """The last user message, or the prompt: the key into a script's answers."""
    for message in reversed(_messages(fields)):
        if message.get("role") == "user":
            return _text(message.get("content"))
    prompt = fields.get("prompt")
    return prompt if isinstance(prompt, str) else ""


def _messages(fields: dict[str, Any]) -> list[dict[str, Any]]:
    messages = fields.get("messages") or _contents(fields)
    return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []


def _contents(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Gemini's."""
    contents = fields.get("contents")
    found = [one for one in contents if isinstance(one, dict)] if isinstance(contents, list) else []
    return [{"role": one.get("role", "user"), "content": one.get("parts")} for one in found]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
