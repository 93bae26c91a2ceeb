"""The conversation suite: what must hold between a caller of any dialect and a provider of any other.

`SUITE` is a table of checks. Each takes a `Pair`: `tests/path/test_pairs.py` runs them over bare HTTP,
`tests/services/test_pairs_sdk.py` through the official SDKs.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.path import heard
from tests.path.callers import CITY, PIXEL, WEATHER, Caller, Question, Said
from tests.path.heard import Asked
from tests.path.house import SECRET, Gateway, Provider, rule

CONFIG = """
[server]
port = 0
workers = 1
[providers.openai]
base_url = "{url}"
api_key = "{secret}"
[providers.anthropic]
base_url = "{url}"
api_key = "{secret}"
[providers.gemini]
base_url = "{url}"
api_key = "{secret}"
[providers.bedrock]
base_url = "{url}"
api_key = "{secret}"
[providers.cohere]
base_url = "{url}"
api_key = "{secret}"
[providers.ollama]
base_url = "{url}"
api_key = "{secret}"
[providers.lenient]
row = "gemini"
base_url = "{url}"
api_key = "{secret}"
remove = ["parallel_tool_calls"]
[models.both]
deployments = ["gemini/gemini-2.5-flash", "anthropic/claude-sonnet-4-5"]
"""
MODELS = {
    "openai": "openai/gpt-4.1",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "bedrock": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "cohere/command-a-03-2025",
    "ollama": "ollama/qwen3:8b",
}
THINKERS = {
    **MODELS,
    "openai": "openai/gpt-5-mini",
    "gemini": "gemini/gemini-3-pro-preview",
    "cohere": "cohere/command-a-reasoning-08-2025",
}
SEALERS = ("anthropic", "bedrock", "gemini")
WORDLESS = {("cohere", "filtered"), ("ollama", "filtered")}
"""What a provider's dialect has no word for: neither says in an answer that a filter ended it."""
UNASKED = {("responses", "stop")}
"""What a caller's dialect cannot ask for."""
LATE = "The answer, in a few words."


@contextmanager
def paired_gateway(folder: Path, provider: Provider) -> Iterator[Gateway]:
    """A server in front of one provider that speaks all dialects."""
    running = Gateway(folder, CONFIG.format(url=provider.upstream.base_url, secret=SECRET))
    try:
        yield running.wait_ready()
    finally:
        running.close()


@dataclass(frozen=True)
class Pair:
    """Who asks whom."""

    caller: Caller
    spoken: str
    gateway: Gateway
    provider: Provider
    stream: bool

    @property
    def model(self) -> str:
        return MODELS[self.spoken]

    @property
    def thinker(self) -> str:
        return THINKERS[self.spoken]

    def ask(self, question: Question, model: str = "") -> Said:
        return self.caller.ask(self.gateway, model or self.model, question, stream=self.stream)

    @property
    def asked(self) -> Asked:
        seen = self.provider.last
        assert heard.is_stream(seen) is self.stream
        return heard.of(seen)


def text(pair: Pair) -> None:
    pair.provider.script(rule(text=LATE))
    said = pair.ask(Question("How late is it?", system="Be brief."))
    assert (said.text, said.finish, said.calls) == (LATE, "stop", [])
    assert said.model == ("" if pair.caller.name == "cohere" else pair.model.partition("/")[2])
    seen = pair.provider.last
    assert said.tokens == (seen.input_tokens, seen.output_tokens) and all(said.tokens)
    assert pair.asked.system == "Be brief." and pair.asked.texts == ["How late is it?"]


def letters(pair: Pair) -> None:
    """Characters of all widths, quotes and line ends, in pieces of three bytes."""
    odd = 'Grüße, "世界" 🎈\\n\n\tEnd'
    pair.provider.script(rule(text=odd, split_every=3))
    said = pair.ask(Question(odd, system=odd))
    assert said.text == odd and pair.asked.texts == [odd] and pair.asked.system == odd


def image(pair: Pair) -> None:
    pair.provider.script(rule(text="A dot."))
    assert pair.ask(Question("What is it?", image=True)).text == "A dot."
    assert pair.asked.images == [("image/png", PIXEL)] and pair.asked.texts == ["What is it?"]


def schema(pair: Pair) -> None:
    pair.provider.script(rule(text='{"name": "Paris"}'))
    said = pair.ask(Question("Which city?", schema=True))
    assert (said.text, said.finish) == ('{"name": "Paris"}', "stop")
    assert pair.asked.schema["properties"] == CITY["properties"]
    assert pair.asked.schema["required"] == CITY["required"]


def thinking(pair: Pair) -> None:
    pair.provider.script(rule(text="Two.", reasoning="One and one.", signature="c2VhbA=="))
    said = pair.ask(Question("1 + 1?", thinking=True), pair.thinker)
    assert (said.text, said.thoughts, said.finish) == ("Two.", "One and one.", "stop")
    assert pair.asked.thinks
    seen = pair.provider.last
    assert said.tokens == (seen.input_tokens, seen.output_tokens)


def stop(pair: Pair) -> None:
    pair.provider.script(rule(text="Before"))
    assert pair.ask(Question(stop=("END", "HALT"))).finish == "stop"
    assert pair.asked.stop == ["END", "HALT"]


def limit(pair: Pair) -> None:
    pair.provider.script(rule(text="One two three four"))
    said = pair.ask(Question(limit=2))
    assert (said.text, said.finish, pair.asked.limit) == ("One two", "length", 2)


def filtered(pair: Pair) -> None:
    pair.provider.script(rule(text="I", finish_reason="content_filter"))
    assert pair.ask(Question()).finish == "content_filter"


def tools(pair: Pair) -> None:
    """Three turns: two calls at once, one more, then words; every call and result at its place."""
    both = [
        {"name": "weather", "arguments": '{"city": "Tromsø", "days": 3}'},
        {"name": "weather", "arguments": '{"city": "\\"Quito\\""}'},
    ]
    pair.provider.script(
        rule(when={"to_nth": 1}, tool_calls=both, reasoning="Both.", signature="c2VhbDE="),
        rule(
            when={"to_nth": 1},
            tool_calls=[{"name": "weather", "arguments": "{}"}],
            reasoning="Again.",
            signature="c2VhbDI=",
        ),
        rule(text="It rains."),
    )
    question = Question("How is the weather?", tools=True, thinking=True)
    body = pair.caller.body(pair.thinker, question, stream=pair.stream)
    said = pair.caller.send(pair.gateway, pair.thinker, body, stream=pair.stream)
    wanted: list[tuple[str, Any]] = [
        ("weather", {"city": "Tromsø", "days": 3}),
        ("weather", {"city": '"Quito"'}),
    ]
    assert [call[1:] for call in said.calls] == wanted and said.finish == "tool_calls"
    if (pair.caller.name, pair.spoken) != ("gemini", "gemini"):  # whose calls have no ids
        assert len({call[0] for call in said.calls}) == 2
    assert list(pair.asked.tools) == ["weather"]
    assert pair.asked.tools["weather"]["properties"] == WEATHER["properties"]

    body = pair.caller.go_on(body, said, ["snow", "sun"])
    said = pair.caller.send(pair.gateway, pair.thinker, body, stream=pair.stream)
    assert [call[1:] for call in said.calls] == [("weather", {})] and said.finish == "tool_calls"
    _is_paired(pair.asked, wanted, ["snow", "sun"])
    assert pair.asked.seals == sealed(pair, "c2VhbDE=")

    body = pair.caller.go_on(body, said, ["fog"])
    said = pair.caller.send(pair.gateway, pair.thinker, body, stream=pair.stream)
    assert (said.text, said.finish) == ("It rains.", "stop")
    _is_paired(pair.asked, [*wanted, ("weather", {})], ["snow", "sun", "fog"])
    assert pair.asked.seals == sealed(pair, "c2VhbDE=", "c2VhbDI=")


def sealed(pair: Pair, *seals: str) -> list[str]:
    """What a provider of seals gets back."""
    return list(seals) if pair.spoken in SEALERS else []


def _is_paired(asked: Asked, calls: list[tuple[str, Any]], results: list[str]) -> None:
    assert [call[1:] for call in asked.calls] == calls
    assert [result[1] for result in asked.results] == results
    assert [result[0] for result in asked.results] == [call[0] for call in asked.calls]


SUITE: dict[str, Callable[[Pair], None]] = {
    check.__name__: check for check in (text, letters, image, schema, thinking, stop, limit, filtered, tools)
}


def pairs(names: Iterable[str], spoken_by: Iterable[str] = tuple(MODELS)) -> list[tuple[str, str, str]]:
    """Every caller's name, provider's name and check that there is."""
    return [
        (name, spoken, check)
        for name in names
        for spoken in spoken_by
        for check in SUITE
        if (spoken, check) not in WORDLESS and (name, check) not in UNASKED
    ]
