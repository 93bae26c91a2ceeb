"""The callers of `tests/path/callers.py`, with the official SDKs in place of bare HTTP: retries off.

The bodies are the same; what an SDK parsed is dumped and read as before, so that a field which an SDK does
not take, or an event that it can't read, fails here. SDKs are imported where they are used: `make test`
collects these files without them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openai import OpenAI

from tests.path.callers import AnthropicCaller, Caller, GeminiCaller, OpenAICaller, Said
from tests.path.cohere_caller import CohereCaller
from tests.path.house import Gateway
from tests.path.responses_caller import ResponsesCaller


class OpenAISDK(OpenAICaller):
    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
            if not stream:
                answer = client.chat.completions.create(**body)
                return self.whole(answer.model_dump(exclude_unset=True))
            with client.chat.completions.create(**body) as chunks:
                return self.streamed([chunk.model_dump(exclude_unset=True) for chunk in chunks])


class ResponsesSDK(ResponsesCaller):
    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
            if not stream:
                return self.whole(client.responses.create(**body).model_dump(exclude_unset=True))
            with client.responses.create(**body) as events:
                return self.streamed([event.model_dump(exclude_unset=True) for event in events])


class AnthropicSDK(AnthropicCaller):
    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        from anthropic import Anthropic

        with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
            if not stream:
                answer = client.messages.create(**body)
                return self.whole(answer.model_dump(exclude_unset=True))
            asked = {name: value for name, value in body.items() if name != "stream"}
            with client.messages.stream(**asked) as events:  # the SDK puts the message together itself
                raw = [_plain(event) for event in events]
                final = events.get_final_message().model_dump(exclude_unset=True)
            said = self.streamed([event for event in raw if event is not None])
            whole = self.whole(final)
            assert (whole.text, whole.thoughts, whole.calls) == (said.text, said.thoughts, said.calls)
            assert (whole.finish, whole.tokens) == (said.finish, said.tokens)
            return whole


# What `messages.stream` adds of its own between the events that came.
_OWN = {"text", "thinking", "signature", "input_json", "citation"}


def _plain(event: Any) -> dict[str, Any] | None:
    if event.type in _OWN:
        return None
    found: dict[str, Any] = event.model_dump(exclude_unset=True)
    return found


class GoogleSDK(GeminiCaller):
    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        with google(gateway) as client:
            config = {
                **body["generationConfig"],
                **{name: body[name] for name in ("systemInstruction", "tools") if name in body},
                "automaticFunctionCalling": {"disable": True},
            }
            asked = {"model": model, "contents": body["contents"], "config": config}
            if not stream:
                return self.whole(_dumped(client.models.generate_content(**asked)))
            return self.streamed([_dumped(one) for one in client.models.generate_content_stream(**asked)])


def _dumped(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


@contextmanager
def google(gateway: Gateway) -> Iterator[Any]:
    from google import genai

    client = genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url})
    try:
        yield client
    finally:
        client.close()


class CohereSDK(CohereCaller):
    def send(self, gateway: Gateway, model: str, body: dict[str, Any], *, stream: bool) -> Said:
        asked = {name: value for name, value in body.items() if name != "stream"}
        options = {"max_retries": 0}
        with cohere(gateway) as client:
            if not stream:
                answer = client.chat(**asked, request_options=options)
                return self.whole(answer.model_dump(exclude_unset=True))
            events = list(client.chat_stream(**asked, request_options=options))
            return self.streamed([event.model_dump(exclude_unset=True) for event in events])


@contextmanager
def cohere(gateway: Gateway) -> Iterator[Any]:
    """The SDK has no way to close its client, so it gets one that is closed here."""
    import httpx
    from cohere import ClientV2

    with httpx.Client(timeout=30) as line:
        yield ClientV2(api_key=gateway.key, base_url=gateway.url, httpx_client=line)


SDKS: dict[str, Caller] = {
    sdk.name: sdk for sdk in (OpenAISDK(), ResponsesSDK(), AnthropicSDK(), GoogleSDK(), CohereSDK())
}
