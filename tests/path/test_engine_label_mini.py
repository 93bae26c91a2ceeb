"""A mini that picks labels, in the engine's host: real processes over a real socket, with a tiny encoder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.path.hosted import Host
from tests.unit.engines import encoders
from tests.unit.engines.mini_runs import card, write_run
from wicket.engines import launch, minilm
from wicket.engines.contract import Certainty, Classified, Classify
from wicket.minis.answers import AnswerShape
from wicket.minis.card import MiniCard
from wicket.minis.confidence import Calibration, confidence, label_evidence
from wicket.minis.familiarity import familiarity, learn

LABELS = tuple(sorted(encoders.LABELS))
TEXT = "my card is lost"
# Confidence follows the margin between the two best labels: 0.5 at 2 nats, 0.88 at 4.
BY_THE_MARGIN = Calibration([0.0, 2.0, 0.0, 0.0, 0.0], [1.0] * 5, [0.0, 1.0, 0.0, 0.0, 0.0])


def label_card(**changes: Any) -> MiniCard:
    fields: dict[str, Any] = {
        "task": "intents",
        "engine": "label",
        "base": "all-minilm-l6-v2",
        "systems": ("", "Name the intent."),
        "answers": AnswerShape("label", {}, LABELS, 20),
        "max_input_tokens": 16,
        "max_output_tokens": 1,
        "calibration": BY_THE_MARGIN,
        "familiarity": learn(["my card is lost", "open an account"]),
    }
    return card(**(fields | changes))


def write(home: Path, made: MiniCard) -> Path:
    """A run whose checkpoint is a tiny encoder; the encoder's folder."""
    folder = write_run(home, made)
    (folder / "model.script.json").unlink()
    return encoders.write_encoder(folder / "model", encoders.random_weights())


def serving(folder: Path) -> Host:
    options = launch.EngineOptions(label="intents", threads=1)
    return Host(folder, "mini:intents@r1", options=options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def host(home: Path) -> Iterator[Host]:
    write(home / "home", label_card())
    with serving(home) as found:
        found.until("/readyz", 200)
        yield found


@pytest.fixture(scope="module")
def expected(home: Path, host: Host) -> tuple[str, Certainty]:
    """What the engine says of `TEXT` without a host."""
    made = minilm.load(home / "home" / "minis" / "intents" / "r1" / "model", threads=1, cache_dir=None)
    made.submit(
        Classify(1, [f"#0\n{TEXT}"])
    )  # two system prompts: the text begins with the number of its own
    (event,) = made.step()
    made.close()
    assert isinstance(event, Classified)
    return event.labels[0][0][0], event.certainties[0]


def ask(host: Host, content: str, floor: str | None = "0.01", **fields: Any) -> httpx.Response:
    system = fields.pop("system", None)
    messages = [{"role": "user", "content": content}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    headers = {} if floor is None else {"x-wicket-floor": floor}
    return host.client.post("/v1/chat/completions", json={"messages": messages, **fields}, headers=headers)


def refused(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "not_confident"), answer.text
    message: str = error["message"]
    return message


def test_a_chat_is_answered_with_the_label(host: Host, expected: tuple[str, Certainty]) -> None:
    label, sure = expected
    likeness = familiarity(learn(["my card is lost", "open an account"]), f"#0\n{TEXT}")
    seen = label_evidence(sure.logprob, sure.margin, sure.entropy, sure.similarity, likeness)
    claimed = confidence(BY_THE_MARGIN, seen)
    answer = ask(host, TEXT, temperature=1.2)
    found = answer.json()
    assert answer.status_code == 200, answer.text
    assert found["choices"][0]["message"]["content"] == label
    assert found["choices"][0]["finish_reason"] == "stop" and found["usage"]["completion_tokens"] == 1
    assert found["model"] == "intents" and answer.headers["x-wicket-dropped"] == "temperature"
    assert float(answer.headers["x-wicket-confidence"]) == pytest.approx(claimed, abs=1e-3)
    above = f"{claimed + 0.01:.4f}"
    below = ask(host, TEXT, floor=above)
    assert "floor" in refused(below) and float(below.headers["x-wicket-confidence"]) == pytest.approx(
        claimed, abs=1e-3
    )
    assert ask(host, TEXT, floor=None).json()["choices"][0]["message"]["content"] == label


def test_streams_are_whole(host: Host, expected: tuple[str, Certainty]) -> None:
    stream = host.sdk.chat.completions.create(
        model="intents", messages=[{"role": "user", "content": TEXT}], stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == expected[0]


def test_forms_that_it_can_not_take(host: Host) -> None:
    assert "long" in refused(ask(host, "my card is lost " * 6))
    assert "long" in refused(ask(host, "my card is lost " * 6, floor=None))
    assert "system prompt" in refused(ask(host, TEXT, system="Be a pirate."))
    assert ask(host, TEXT, system="Name the intent.").status_code == 200
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert "response_format" in refused(ask(host, TEXT, response_format=schema))
    assert "form: n" in refused(ask(host, TEXT, n=2))


def test_classify(host: Host) -> None:
    def post(**fields: Any) -> httpx.Response:
        return host.client.post("/v1/classify", json=fields)

    answer = post(model="intents", input=[TEXT, "open accounts"], top=2).json()
    assert [entry["index"] for entry in answer["data"]] == [0, 1] and answer["model"] == "intents"
    for entry in answer["data"]:
        assert len(entry["labels"]) == 2 and {label["label"] for label in entry["labels"]} <= set(LABELS)
        assert entry["labels"][0]["probability"] >= entry["labels"][1]["probability"] > 0
    [alone] = post(input=TEXT).json()["data"]
    assert alone["labels"][0]["label"] == answer["data"][0]["labels"][0]["label"]
    assert sum(label["probability"] for label in alone["labels"]) == pytest.approx(1)
    for field, value in {"top": 0, "input": [], "model": 3}.items():
        bad = post(**({"input": "a"} | {field: value}))
        assert bad.status_code == 400 and bad.json()["error"]["param"] == field, bad.text
    many = post(input=["a"] * 1000, top=51)
    assert many.status_code == 400 and many.json()["error"]["param"] == "top"
    assert post(input="a", model="other").status_code == 404


def test_what_the_card_says(host: Host) -> None:
    found = host.client.get("/v1/models/intents").json()
    assert found["verbs"] == ["embed", "classify"] and found["mini"]["answers"] == "label"
    assert found["state"] == "ready" and found["engine"] == "openvino"
    wrong = host.client.post("/v1/completions", json={"prompt": "a"})
    assert wrong.status_code == 400 and "classify" in wrong.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["label_outside_the_card", "no_head"])
def test_a_checkpoint_that_does_not_fit_its_card(tmp_path: Path, kind: str) -> None:
    made = label_card(answers=AnswerShape("label", {}, ("yes", "no"), 20))
    folder = write(tmp_path / "home", made)
    if kind == "no_head":
        weights = encoders.random_weights()
        bare = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
        encoders.write_encoder(folder, bare)
    with serving(tmp_path) as found:
        found.until("/readyz", 200)
        message = refused(ask(found, TEXT))
        assert ("unknown_label" if kind == "label_outside_the_card" else "unsupported") in message
