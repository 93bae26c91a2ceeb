"""The examples, run as a reader would run them, against a real server."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.house import CONFIG, SECRET, Gateway, Provider

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE = ROOT / "tests" / "services" / "node"
SAID = "Paris is the capital of France."
QUESTION = 'Say "it" \\ now, with an ü.'
NUM_TOKENS = 7  # of the question, as the scripted provider counts
LIMIT_S = 180


def run(gateway: Gateway, *command: str | Path, folder: Path = ROOT, model: str = "mine/plain") -> str:
    """Its standard output; fails with what it said when it fails."""
    environ = {"WICKET_URL": gateway.url, "WICKET_API_KEY": gateway.key, "MODEL": model}
    words = [str(word) for word in command]
    ran = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout


def asked(provider: Provider) -> set[str]:
    """The questions as the provider saw them."""
    return {seen.fields["messages"][0]["content"] for seen in provider.log}


def test_curl(gateway: Gateway, provider: Provider) -> None:
    whole, *stream, models = run(gateway, EXAMPLES / "curl.sh", QUESTION).rstrip().split("\n")
    assert json.loads(whole)["choices"][0]["message"]["content"] == SAID
    assert "data: [DONE]" in stream
    assert "mine/plain" in [model["id"] for model in json.loads(models)["data"]]
    assert asked(provider) == {QUESTION}


def test_curl_tells_a_failure(gateway: Gateway) -> None:
    with pytest.raises(AssertionError, match="model_not_found"):
        run(gateway, EXAMPLES / "curl.sh", model="nothing-like-it")


def test_python(gateway: Gateway, provider: Provider) -> None:
    said = run(gateway, sys.executable, EXAMPLES / "chat.py", QUESTION)
    assert said == f"plain: {SAID}\n{SAID}\n[{NUM_TOKENS} + 6 tokens]\n"
    assert asked(provider) == {QUESTION}


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java 17 or newer")
def test_java(gateway: Gateway, provider: Provider) -> None:
    assert run(gateway, "java", "-Dfile.encoding=UTF-8", EXAMPLES / "Chat.java", QUESTION) == f"{SAID}\n"
    assert asked(provider) == {QUESTION}


@pytest.mark.services
def test_node(gateway: Gateway, provider: Provider, tmp_path: Path) -> None:
    for file in (NODE / "package.json", NODE / "package-lock.json", EXAMPLES / "chat.mjs"):
        shutil.copy(file, tmp_path)
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert (
        run(gateway, "node", "chat.mjs", QUESTION, folder=tmp_path)
        == f"plain: {SAID}\n{SAID}\n[{NUM_TOKENS} + 6 tokens]\n"
    )
    assert asked(provider) == {QUESTION}


def test_a_ci_step(provider: Provider, tmp_path: Path) -> None:
    config = CONFIG.format(url=provider.upstream.base_url, secret=SECRET)
    (tmp_path / "wicket.toml").write_text(config)
    program = [
        "import openai, sys",
        "with openai.OpenAI() as client:",
        "    ask, said = client.chat.completions.create, [{'role': 'user', 'content': 'Hello'}]",
        "    print(ask(model='mine/plain', messages=said).choices[0].message.content)",
        "sys.exit(7)",
    ]
    ran = subprocess.run(
        [str(EXAMPLES / "ci-step.sh"), sys.executable, "-c", "\n".join(program)],
        cwd=tmp_path,
        check=False,
        env=os.environ | {"WICKET": str(Path(sys.executable).with_name("wicket")), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (ran.stdout, ran.returncode) == (f"{SAID}\n", 7), ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wicket.toml"], "its data folder is gone"


def test_the_readme(gateway: Gateway, provider: Provider) -> None:
    """What a newcomer pastes: the curl line and the Python program, at this server's address."""
    blocks = dict(re.findall(r"```(sh|python)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[:2])
    here = {"http://127.0.0.1:4242": gateway.url, "wk-admin-…": gateway.key, "wk-…": gateway.key}
    for old, new in (here | {'"mini"': '"mine/plain"'}).items():
        blocks = {language: block.replace(old, new) for language, block in blocks.items()}
    answer = json.loads(run(gateway, "sh", "-c", blocks["sh"]))
    assert answer["choices"][0]["message"]["content"] == SAID
    assert run(gateway, sys.executable, "-c", blocks["python"]) == f"{SAID}\n"
    assert asked(provider) == {"What is the capital of France?"}


def test_no_example_holds_a_key() -> None:
    for file in EXAMPLES.rglob("*"):
        assert file.is_dir() or b"wk-admin-" not in file.read_bytes(), file.name
