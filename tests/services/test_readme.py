"""The README's snippets as they stand there, with the server's address, a key and a scripted model put in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.house import Gateway, Provider

pytestmark = pytest.mark.services
README = Path(__file__).parents[2] / "README.md"
SNIPPETS = [
    text for text in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "client = " in text
]


def test_there_is_one_for_each_sdk() -> None:
    assert [re.search(r"(openai|anthropic|genai|cohere)", text)[1] for text in SNIPPETS] == [  # type: ignore[index]
        "openai",
        "anthropic",
        "genai",
        "cohere",
    ]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["openai", "anthropic", "google", "cohere"])
def test_it_works_as_pasted(snippet: str, gateway: Gateway, provider: Provider) -> None:
    provider.script()
    text = snippet.replace("http://127.0.0.1:4242", gateway.url).replace("wk-…", gateway.key)
    text = text.replace('"mini"', '"mine/plain"')
    ran = subprocess.run(
        [sys.executable, "-c", text], check=False, capture_output=True, text=True, timeout=120
    )
    assert (ran.returncode, ran.stdout) == (0, "Paris is the capital of France.\n"), ran.stderr
