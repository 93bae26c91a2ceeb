"""What the page offers to paste, pasted as it is: curl, Python, Node and Java against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.house import Gateway, Provider

pytestmark = pytest.mark.services
MAKER = Path(__file__).parents[2] / "src/wicket/console/static/snippets.js"
LIMIT_S = 120
# Whatever a shell, a string literal or a template would read as its own.
AWKWARD = 'It\'s "so": $HOME `id` $(id) \\ \\n \\u0041 %s {x} ${x} </script> é 😀\n\'\'\'\n"""'
ANSWER = "Paris is the capital of France."
FILES = {"curl": "ask.sh", "Python": "ask.py", "Node": "ask.mjs", "Java": "Ask.java"}
RUN = {"curl": ["sh"], "Python": [sys.executable], "Node": ["node"], "Java": ["java"]}


def made(gateway: Gateway, text: str) -> dict[str, str]:
    """Every snippet, as the page's own module makes it."""
    request = {
        "model": "mine/plain",
        "messages": [{"role": "system", "content": text}, {"role": "user", "content": text}],
        "temperature": 0.5,
    }
    program = (
        f"import {{ snippets }} from {json.dumps(MAKER.as_uri())};"
        "const [base, key, request] = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(Object.fromEntries(snippets(base, key, request))));"
    )
    given = json.dumps([f"{gateway.url}/v1", gateway.key, request])
    ran = subprocess.run(
        ["node", "--no-warnings", "--input-type=module", "-e", program, given],
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    found: dict[str, str] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("language", list(FILES))
@pytest.mark.parametrize("text", ["Hello?", AWKWARD], ids=["plain", "awkward"])
def test_it_works_as_pasted(
    node_folder: Path, gateway: Gateway, provider: Provider, language: str, text: str
) -> None:
    if shutil.which(RUN[language][0]) is None:
        pytest.skip(f"{language} is not on this machine")
    provider.script()
    file = node_folder / FILES[language]
    file.write_text(made(gateway, text)[language])
    ran = subprocess.run(
        [*RUN[language], file.name],
        check=False,
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    assert ANSWER in ran.stdout
    (seen,) = provider.log
    sent = seen.fields
    assert [message["content"] for message in sent["messages"]] == [text, text]
    assert sent["temperature"] == 0.5
