"""What the demo is made of: processes, questions, answers."""

import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROUTE, LARGE, MINI = "assistant", "large/gpt-4o", "mini/"
BEFORE = "compact/smollm2-135m-instruct"
LIMIT_S = 120
AT_ONCE = 16
BIN = Path(sys.executable).parent
_URL = re.compile(rb"http://[\w.:]+")


@dataclass
class Stage:
    name: str
    seconds: float


@dataclass
class Answer:
    """One answer as the caller got it; `text` is "" and `error` says why where there was none."""

    text: str
    deployment: str
    confidence: float
    error: str = ""


def read_lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def gold_script(lines: list[dict]) -> dict:
    """A script for the provider: each user message with its gold answer."""
    answers = {line["messages"][-2]["content"]: line["messages"][-1]["content"] for line in lines}
    return {"answers": answers, "models": ["gpt-4o"]}


def same(one: str, other: str) -> bool:
    """Whether two answers say the same: equal JSON, else equal text."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return one.strip() == other.strip()


def exact(answers: list[Answer], lines: list[dict]) -> int:
    pairs = zip(answers, lines, strict=True)
    return sum(
        same(answer.text, line["messages"][-1]["content"]) for answer, line in pairs if not answer.error
    )


class Asker:
    """Asks the server as any client would."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname, parts.port)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._own = threading.local()

    def ask(self, model: str, lines: list[dict]) -> list[Answer]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda line: self._one(model, line), lines))

    def _one(self, model: str, line: dict) -> Answer:
        body = {"model": model, "messages": line["messages"][:-1], "temperature": 0, "max_tokens": 96}
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection(*self._place, timeout=LIMIT_S)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), self._headers)
        response = connection.getresponse()
        document = json.loads(response.read())
        deployment = response.headers.get("x-wicket-deployment", "")
        confidence = float(response.headers.get("x-wicket-confidence", -1))
        if response.status != 200:
            return Answer("", deployment, confidence, document["error"]["message"])
        return Answer(document["choices"][0]["message"]["content"] or "", deployment, confidence)


class Wicket:
    """The scripted provider and the server, as processes; the command line against them."""

    def __init__(self, folder: Path, script: Path) -> None:
        self._folder = folder
        self._script = script
        self._processes: list[subprocess.Popen] = []
        self.environ = {**os.environ, "WICKET_HOME": str(folder / "home")}
        self.upstream_url = self.url = self.key = ""

    def __enter__(self) -> "Wicket":
        words = ["dev", "upstream", "--script", str(self._script), "--port", "0"]
        self.upstream_url = self._start(words, "upstream.log").rstrip("/") + "/v1"
        return self

    def start(self, config: str) -> None:
        file = self._folder / "wicket.toml"
        file.write_text(config)
        self.url = self._start(["serve", "--config", str(file)], "server.log")
        self.key = (self._folder / "home" / "admin.key").read_text().strip()
        self.wait_for(BEFORE)

    def _start(self, words: list[str], log: str) -> str:
        path = self._folder / log
        process = subprocess.Popen(
            [BIN / "wicket", *words], env=self.environ, stdout=path.open("wb"), stderr=subprocess.STDOUT
        )
        self._processes.append(process)
        until_s = time.monotonic() + LIMIT_S
        while time.monotonic() < until_s and process.poll() is None:
            found = _URL.search(path.read_bytes())
            if found:
                return found[0].decode()
            time.sleep(0.05)
        raise SystemExit(f"{words[0]} did not start:\n{path.read_text()}")

    def wait_for(self, model: str) -> None:
        """Until a local model answers; the first request waits for its loading."""
        asker = Asker(self.url, self.key)
        until_s = time.monotonic() + LIMIT_S
        line = {"messages": [{"role": "user", "content": "Hello"}, {}]}
        while time.monotonic() < until_s:
            answer = asker.ask(model, [line])[0]
            if not answer.error or "not_confident" in answer.error or answer.deployment.startswith(MINI):
                return
            time.sleep(0.5)
        raise SystemExit(f"{model} does not answer: {answer.error}")

    def run(self, *words: str) -> None:
        """A command for people; its output goes through."""
        ran = subprocess.run([BIN / "wicket", *words], env=self.environ, check=False)
        if ran.returncode:
            raise SystemExit(f"wicket {' '.join(words)} ended with {ran.returncode}")

    def json(self, *words: str):
        """A command's document."""
        ran = subprocess.run(
            [BIN / "wicket", *words, "--json"], env=self.environ, check=True, capture_output=True
        )
        return json.loads(ran.stdout)

    def settle(self) -> None:
        """Until checks that run behind the answers have been recorded: the counts stand still."""
        counts = [-1, -2]
        while counts[-1] != counts[-2]:
            time.sleep(1.0)
            counts.append(self.json("usage")["requests"])

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(LIMIT_S)
