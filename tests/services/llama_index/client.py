"""LlamaIndex's OpenAI class, in an environment of its own: prints what it got as one JSON document."""

import asyncio
import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class Unlisted(OpenAI):
    """Its own table of models knows OpenAI's only; ours say what they can."""

    @property
    def metadata(self):
        """A chat model that calls functions."""
        known = OpenAI(model="gpt-4o-mini", api_key="x").metadata
        return known.model_copy(update={"model_name": self.model})

    @property
    def _tokenizer(self):
        return None


def made(model: str, url: str, key: str) -> OpenAI:
    """The class, pointed at us, retries off."""
    return Unlisted(model=model, api_base=url, api_key=key, max_retries=0)


async def main(url: str, key: str) -> None:
    """Ask in every way."""
    ask = [ChatMessage(role="user", content="Say it.")]
    llm = made("mine/plain", url, key)
    got = {"whole": llm.chat(ask).message.content}
    got["streamed"] = "".join(piece.delta or "" for piece in llm.stream_chat(ask))
    got["awaited"] = (await llm.achat(ask)).message.content
    calling = made("mine/calls", url, key)
    answer = calling.chat_with_tools([FunctionTool.from_defaults(weather)], user_msg="How is it?")
    [call] = calling.get_tool_calls_from_response(answer)
    got["call"] = [call.tool_name, call.tool_kwargs]
    try:
        made("mine/limited", url, key).chat(ask)
    except Exception as error:
        got["error"] = type(error).__name__
    print(json.dumps(got))


asyncio.run(main(*sys.argv[1:]))
