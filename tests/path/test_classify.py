"""Labels with scores through the gateway: a tiny label mini in the real engine host, and a provider."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.path.cascaded import Cascaded, says
from tests.path.house import Answer, Provider

encoders: Any = pytest.importorskip("tests.unit.engines.encoders")
from tests.path.test_engine_label_mini import TEXT, label_card, write  # noqa: E402
from wicket.engines import minilm  # noqa: E402
from wicket.engines.contract import Classified, Classify  # noqa: E402


class Labelled(Cascaded):
    engine_module = "wicket.engines.host"

    def classify(self, model: str = "mini/slots", path: str = "/v1/classify", **fields: Any) -> Answer:
        return self.post(path, {"model": model, "input": TEXT, **fields})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        running.script(says("lost"))
        yield running


@pytest.fixture(scope="module")
def served(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labelled]:
    folder = tmp_path_factory.mktemp("classify")
    write(folder / "home", label_card(task="slots"))
    (folder / "home" / "minis" / "slots" / "current").write_text("r1\n")
    running = Labelled(folder, provider, run="")
    try:
        running.wait_ready()
        running.wait_line(r"mini/slots is ready")
        yield running
    finally:
        running.close()


def test_labels_come_with_what_the_engine_says_of_them(served: Labelled) -> None:
    answer = served.classify(input=[TEXT, "open an account"], top=2)
    assert answer.status == 200, answer.body
    assert answer.headers["x-wicket-deployment"] == "mini/slots"
    folder = served.minis / "slots" / "r1" / "model"
    engine = minilm.load(folder, threads=1, cache_dir=None)
    engine.submit(Classify(1, [TEXT, "open an account"], 2))
    [event] = [event for event in engine.step() if isinstance(event, Classified)]
    engine.close()
    found = answer.json
    assert [row["index"] for row in found["data"]] == [0, 1]
    for row, labels in zip(found["data"], event.labels, strict=True):
        assert [each["label"] for each in row["labels"]] == [label for label, _ in labels]
        expected = [chance for _, chance in labels]
        assert [each["probability"] for each in row["labels"]] == pytest.approx(expected, abs=1e-3)
    assert found["usage"]["prompt_tokens"] == event.prompt_tokens


def test_the_record_says_what_was_asked_and_used(served: Labelled) -> None:
    answer = served.classify(path="/openai/v1/classify")
    record = served.record(answer.headers["x-request-id"])
    assert (record["api"], record["model"], record["status"]) == ("classify", "mini/slots", 200)
    usage = answer.json["usage"]
    assert record["input_tokens"] == usage["prompt_tokens"] > 0
    assert record["output_tokens"] == 0


def test_of_a_cascade_the_mini_is_asked_and_nobody_else(served: Labelled, provider: Provider) -> None:
    before = len(provider.log)
    for model in ("extract", "alone"):
        assert served.classify(model).headers["x-wicket-deployment"] == "mini/slots"
    assert len(provider.log) == before


def test_a_provider_has_no_labels(served: Labelled, provider: Provider) -> None:
    before = len(provider.log)
    answer = served.classify("mine/large")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "not_local", "model")
    assert "mini/TASK" in answer.error["message"] and len(provider.log) == before


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [3]}, "input"),
        ({"input": ""}, "input"),
        ({"top": 0}, "top"),
        ({"top": "many"}, "top"),
        ({"stream": True}, "stream"),
        ({"model": ""}, "model"),
    ],
)
def test_a_body_that_is_wrong_names_its_field(served: Labelled, fields: dict[str, Any], param: str) -> None:
    answer = served.classify(**fields)
    assert (answer.status, answer.error["param"]) == (400, param), answer.body


def test_without_an_input_or_with_too_much_of_it(served: Labelled) -> None:
    missing = served.post("/v1/classify", {"model": "mini/slots"})
    assert (missing.status, missing.error["code"]) == (400, "missing_field")
    assert served.classify(input="x" * (9 << 20)).status == 413
    assert served.request("GET", "/v1/classify").status == 405


def test_without_a_mini_there_is_nobody_to_ask(served: Labelled) -> None:
    """Last in this file: it takes the mini away."""
    shutil.move(served.minis / "slots" / "current", served.minis / "slots" / "was")
    served.wait_line("configuration 2 is in force")
    answer = served.classify("extract")
    assert (answer.status, answer.error["code"]) == (404, "not_local")
