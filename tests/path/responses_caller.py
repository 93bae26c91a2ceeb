"""A caller of OpenAI's Responses API. Written from OpenAI's reference, apart from our reader and writer."""

import json
from collections.abc import Iterable
from typing import Any

from tests.path.asking import CITY, PIXEL, WEATHER, Caller, Question, Said

_ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
_TEXTS = {  # event → the kind of the part that it is of
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "summary_text",
    "response.reasoning_text": "reasoning_text",
}


class ResponsesCaller(Caller):
    name = "responses"

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/responses"

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "input_text", "text": question.text}]
        if question.image:
            content.append({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"})
        body: dict[str, Any] = {
            "model": model,
            "input": [{"role": "user", "content": content}],
            "store": False,
        }
        if question.system:
            body["instructions"] = question.system
        if question.tools:
            function = {"name": "weather", "description": "d", "parameters": WEATHER}
            body["tools"] = [{"type": "function", "strict": False, **function}]
        if question.schema:
            kind = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
            body["text"] = {"format": kind}
        if question.limit:
            body["max_output_tokens"] = question.limit
        if question.thinking:
            body["reasoning"] = {"effort": "low", "summary": "auto"}
            body["include"] = ["reasoning.encrypted_content"]
        if stream:
            body["stream"] = True
        return body | question.more

    def whole(self, answer: dict[str, Any]) -> Said:
        assert answer["object"] == "response" and answer["id"]
        assert answer["error"] is None
        return _said(answer)

    def streamed(self, events: Iterable[dict[str, Any]]) -> Said:
        """Puts the answer together; fails where the order of events is not OpenAI's, or they differ."""
        items: list[dict[str, Any]] = []
        texts: dict[tuple[int, str, int], str] = {}
        done: dict[int, dict[str, Any]] = {}
        last: dict[str, Any] = {}
        num_errors = 0
        for number, event in enumerate(events):
            kind = event["type"]
            is_numbered = event["sequence_number"] == number or kind == "error"  # whose place is not known
            assert is_numbered and not last and not num_errors, event
            stem, _, step = kind.rpartition(".")
            if kind in ("response.created", "response.in_progress"):
                assert event["response"]["status"] == "in_progress" and not items
            elif kind == "response.output_item.added":
                assert event["output_index"] == len(items)
                items.append(event["item"])
            elif kind == "response.output_item.done":
                item, index = event["item"], event["output_index"]  # items may overlap
                assert index not in done and item["id"] == items[index]["id"]
                _is_told(item, {place[1:]: text for place, text in texts.items() if place[0] == index})
                done[index] = item
            elif stem in _TEXTS or stem == "response.function_call_arguments":
                assert event["item_id"] == items[event["output_index"]]["id"]
                index = event.get("content_index", event.get("summary_index", 0))
                place = (event["output_index"], _TEXTS.get(stem, "arguments"), index)
                if step == "delta":
                    texts[place] = texts.get(place, "") + event["delta"]
                else:
                    whole = [event[name] for name in ("text", "refusal", "arguments") if name in event]
                    assert step == "done" and whole == [texts.get(place, "")]
            elif kind in _ENDS:
                last = event["response"]
                assert last["status"] == _ENDS[kind]
                num_errors += kind == "response.failed"
            elif kind == "error":
                assert event["message"]
                num_errors += 1
            else:
                assert stem in ("response.content_part", "response.reasoning_summary_part"), event
        if num_errors:
            text = "".join(text for place, text in texts.items() if place[1] == "output_text")
            return Said(text=text, num_errors=num_errors)
        assert last["output"] == [item for _, item in sorted(done.items())] and len(done) == len(items)
        return _said(last)

    def go_on(self, body: dict[str, Any], said: Said, results: list[str]) -> dict[str, Any]:
        told = [
            {"type": "function_call_output", "call_id": call[0], "output": result}
            for call, result in zip(said.calls, results, strict=True)
        ]
        return {**body, "input": [*body["input"], *said.turn, *told]}

    def error(self, answer: dict[str, Any]) -> str:
        assert set(answer) == {"error"}
        assert {"message", "type", "param", "code"} <= set(answer["error"])
        return str(answer["error"]["message"])


def _is_told(item: dict[str, Any], texts: dict[tuple[str, int], str]) -> None:
    """The deltas come to what the finished item has."""
    whole = {
        (part["type"], index): part.get("text", part.get("refusal", ""))
        for parts in ("summary", "content")
        for index, part in enumerate(item.get(parts) or ())
    }
    if item["type"] == "function_call":
        whole["arguments", 0] = item["arguments"]
    assert {place: text for place, text in whole.items() if text} == texts


def _said(answer: dict[str, Any]) -> Said:
    """What a finished answer says."""
    output, usage = answer["output"], answer["usage"]
    assert len({item["id"] for item in output}) == len(output)
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    thoughts = [
        part["text"]
        for item in output
        if item["type"] == "reasoning"
        for part in [*item["summary"], *(item.get("content") or ())]
    ]
    calls = [
        (item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    ]
    finish = "tool_calls" if calls else "stop"
    if answer["status"] == "incomplete":
        finish = _INCOMPLETE[answer["incomplete_details"]["reason"]]
    else:
        assert answer["status"] == "completed" and answer["incomplete_details"] is None
    return Said(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        thoughts="".join(thoughts),
        calls=calls,
        finish=finish,
        tokens=(usage["input_tokens"], usage["output_tokens"]),
        model=answer["model"],
        turn=output,
    )
