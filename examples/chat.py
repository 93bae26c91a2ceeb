"""Wicket with OpenAI's SDK for Python (pip install openai): a whole answer, then a streamed one.

WICKET_API_KEY=wk-… python examples/chat.py "What is the capital of France?"
"""

import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("WICKET_URL", "http://127.0.0.1:4242") + "/v1",
    api_key=os.environ["WICKET_API_KEY"],
)
model = os.environ.get("MODEL", "mini")
question = sys.argv[1] if len(sys.argv) > 1 else "What is the capital of France?"

with client:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=200,
    )
    print(f"{answer.model}: {answer.choices[0].message.content}")

    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=200,
        stream=True,
        stream_options={"include_usage": True},
    )
    with stream:
        for chunk in stream:
            for choice in chunk.choices:
                print(choice.delta.content or "", end="", flush=True)
            if chunk.usage:
                print(f"\n[{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens]")
