"""What callers of all dialects have in common: what they are asked to ask, and what they make of answers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.path.house import Answer, Gateway

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Question:
    """What is asked, in nobody's dialect."""

    text: str = "Where is it?"
    system: str = ""
    tools: bool = False
    image: bool = False
    schema: bool = False
    stop: tuple[str, ...] = ()
    limit: int = 0
    thinking: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Said:
    """What a caller understood. `finish` is OpenAI's word; `calls` are (id, name, arguments)."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish: str = ""
    tokens: tuple[int, int] = (0, 0)
    model: str = ""
    turn: Any = None
    num_errors: int = 0  # frames that tell of one


class Caller:
    """One dialect's caller."""

    name = ""

    def path(self, model: str, *, stream: bool) -> str:
        raise NotImplementedError

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        raise NotImplementedError

    def whole(self, answer: dict[str, Any]) -> Said:
        raise NotImplementedError

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        raise NotImplementedError

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        """The next request: the answer as it came and a result for each of its calls."""
        raise NotImplementedError

    def error(self, answer: dict[str, Any]) -> str:
        """The message of an error; fails when it has another dialect's shape."""
        raise NotImplementedError

    def ask(self, gateway: Gateway, model: str, question: Question, *, stream: bool) -> Said:
        return self.send(gateway, model, self.body(model, question, stream=stream), stream=stream)

    def post(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Answer:
        return gateway.post(self.path(model, stream=stream), body)

    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        answer = self.post(gateway, model, body, stream=stream)
        assert answer.status == 200, answer.body
        return self.streamed(self.events(answer)) if stream else self.whole(answer.json)

    def events(self, answer: Answer) -> list[dict[str, Any]]:
        """A stream's payloads as values."""
        lines = answer.body.decode().replace("\r\n", "\n").split("\n")
        payloads = [line[6:] for line in lines if line.startswith("data: ")]
        return [json.loads(one) for one in payloads if one != "[DONE]"]
