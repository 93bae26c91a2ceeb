"""A recipe for labels on the real encoder: what a run leaves and says, that it goes on, what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_labels  # noqa: E402
from tests.lab.test_recipe_run import wicket  # noqa: E402
from tests.path.hosted import Host  # noqa: E402

from wicket.engines.checkpoints.locate import find  # noqa: E402
from wicket.errors import CallerFault, ConfigFault, EngineFault, OperatorFault  # noqa: E402
from wicket.lab import recipe_labels_stages as stages  # noqa: E402
from wicket.lab.recipe_labels import is_for_labels, read_labels  # noqa: E402
from wicket.lab.recipe_labels_data import read_corpus  # noqa: E402
from wicket.lab.recipe_labels_run import make  # noqa: E402
from wicket.lab.techniques import fine_tune_encoder  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels") / "home"


@pytest.fixture(scope="module")
def done(home: Path) -> Path:
    """A run that is over, under the name that `run:queues` finds."""
    folder = home / "runs" / "queues"
    make(small_labels.write(home.parent / "recipe"), folder, home)
    return folder


def test_it_leaves_what_the_house_promises(done: Path) -> None:
    names = {path.name for path in done.iterdir()}
    assert names >= {"model", "teacher", "mini.json", "card.json", "CARD.md", "report.json", "report.html"}
    found = small_labels.report(done)
    checks = {check["name"]: check for check in found["gate"]["checks"]}
    assert set(checks) == {
        "evaluation_in_training", "export", "floor", "precision", "parameters", "bank.keep",
        "bank.ahead_of_tfidf",
    }  # fmt: skip
    for name in ("evaluation_in_training", "export", "floor", "parameters", "bank.keep"):
        assert checks[name]["passed"], checks[name]
    teacher, student = found["models"]
    assert student["size"]["num_parameters"] < 0.3 * teacher["size"]["num_parameters"]
    assert teacher["curve"] and student["curve"] and found["speeds"]["student"]["cpu_ms_p50"] > 0
    page = (done / "report.html").read_text()
    assert page.count("<svg") == 2 and "Side by side" in page and "http" not in page.replace("http-equiv", "")
    assert "CC-BY-3.0 (others)" in (done / "CARD.md").read_text()


def test_it_learned_and_tells_strangers(done: Path) -> None:
    bank, others = (small_labels.report(done)["sets"][name] for name in ("bank", "others"))
    assert bank["others"]["teacher"]["share"] > 0.9 and bank["student"]["share"] > 0.7
    assert bank["student"]["num"] == 48 and set(bank["ahead"]) == {"teacher", "tfidf", "frozen"}
    assert bank["strangers"] is None and others["student"]["num"] == 0
    assert others["strangers"]["num"] == 40, "a set without training has strangers only"
    assert others["strangers"]["area"] > 0.8 and others["strangers"]["refused"] > 20


def test_it_is_served_with_its_card_and_its_floor(done: Path, home: Path, tmp_path: Path) -> None:
    found = find("run:queues", home)
    assert found.id == "queues" and found.mini is not None and found.card["limits"]
    (tmp_path / "home").symlink_to(home)
    with Host(tmp_path, "run:queues") as host:
        asked = {"model": "queues", "messages": [{"role": "user", "content": "How do I change my PIN?"}]}
        answer = host.client.post("/v1/chat/completions", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "change_pin"
        assert float(answer.headers["x-wicket-confidence"]) >= found.mini.floor > 0
        asked["messages"] = [{"role": "user", "content": "qwertz uiop the moon of a dinosaur sonata"}]
        refused = host.client.post("/v1/chat/completions", json=asked)
        assert refused.status_code == 422 and refused.json()["error"]["code"] == "not_confident"
        assert "is below" in refused.json()["error"]["message"]
        taken = host.client.post("/v1/chat/completions", json=asked, headers={"x-wicket-floor": "0"})
        assert taken.status_code == 200, "a floor that the caller names counts in place of its own"
        scores = host.client.post("/v1/classify", json={"model": "queues", "input": ["my pin"], "top": 2})
        [(first, second)] = [row["labels"] for row in scores.json()["data"]]
        assert first["label"] == "change_pin" and first["probability"] > second["probability"]
        card: Any = host.client.get("/v1/models/queues").json()
    assert card["run"]["evaluation"]["sets"]["bank"]["kept"] > 0 and card["mini"]["lineage"]["seed"] == 1


def test_a_damaged_card_is_told(done: Path, home: Path) -> None:
    copy = home / "runs" / "damaged"
    shutil.copytree(done, copy)
    assert find("run:damaged", home).mini is not None, "a run may be copied and renamed"
    (copy / "mini.json").write_text("{")
    with pytest.raises(EngineFault, match="run damaged can't be used"):
        find("run:damaged", home)
    shutil.rmtree(copy)


def test_a_finished_stage_is_not_done_again(
    done: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(fine_tune_encoder, "descend", never)
    monkeypatch.setattr(stages.label_baselines, "tfidf", never)
    folder = tmp_path / "copy"
    shutil.copytree(done, folder)
    state = json.loads((folder / "run.json").read_text())
    del state["stages"]["floor"]
    (folder / "run.json").write_text(json.dumps(state))
    make(small_labels.write(home.parent / "recipe"), folder, home)
    assert small_labels.report(folder)["floor"] == small_labels.report(done)["floor"]
    with pytest.raises(OperatorFault, match="another --out"):
        make(small_labels.write(home.parent / "recipe", "seed=4"), folder, home)


def test_the_command_line_shows_it_beside_others(done: Path, home: Path) -> None:
    listed = json.loads(wicket(home, "lab", "list", "--json").stdout)
    [run] = [each for each in listed if each["run"] == "queues"]
    assert run["kind"] == "labels" and run["request_ms"] > 0 and "perplexity" not in run
    assert "bank.keep" in wicket(home, "lab", "show", "queues").stdout
    assert "ms/request" in wicket(home, "lab", "compare", "queues").stdout


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ('teacher.tasks="labels"', "did you mean task?"),
        ('teacher.task="slots"', "is not one of labels"),
        ("student.layers=[3,1]", "ascending"),
        ('gate.ahead=["bert"]', "is not one of tfidf, frozen"),
        ("floor.quality=1.5", "floor.quality"),
        ("steps=[]", "unknown field"),
        ("sets={}", "at least one data set"),
    ],
)
def test_a_mistake_is_told_with_its_field(tmp_path: Path, override: str, told: str) -> None:
    with pytest.raises(ConfigFault, match=r"queues\.toml") as caught:
        small_labels.write(tmp_path, override)
    assert told in caught.value.message


def test_data_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    resolved = small_labels.write(tmp_path)
    whole = (tmp_path / "train.jsonl").read_text()
    one = "".join(each for each in whole.splitlines(keepends=True) if "change_pin" in each)

    def told(path: str, text: str) -> str:
        before = (tmp_path / path).read_text()
        (tmp_path / path).write_text(text)
        try:
            with pytest.raises(CallerFault) as caught:
                read_corpus(resolved.recipe, tmp_path)
        finally:
            (tmp_path / path).write_text(before)
        return caught.value.message

    unanswered = '{"messages": [{"role": "user", "content": "my card"}]}\n'
    assert "train.jsonl, line 121" in told("train.jsonl", whole + unanswered)
    assert 'the label "unheard_of"' in told("test.jsonl", small_labels.line("my card", "unheard_of"))
    assert "nothing to tell apart" in told("train.jsonl", one)
    assert "no request and answer" in told("strangers.jsonl", small_labels.line("hello", "weather"))
    assert "at least 20 requests" in told("validation.jsonl", small_labels.line("my card", "change_pin"))


def test_what_judges_is_not_learned(tmp_path: Path) -> None:
    resolved = small_labels.write(tmp_path)
    twin = (tmp_path / "test.jsonl").read_text().splitlines(keepends=True)[0]
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(twin)
    corpus = read_corpus(resolved.recipe, tmp_path)
    assert (corpus.manifest.num_train, corpus.manifest.num_removed, corpus.manifest.num_left) == (120, 1, 0)
    kept = read_labels(tmp_path / "queues.toml", ['data.overlap="keep"'])
    assert read_corpus(kept.recipe, tmp_path).manifest.num_left == 1


def test_layers_that_the_teacher_has_not_are_told_before_it_starts(home: Path, tmp_path: Path) -> None:
    resolved = small_labels.write(tmp_path / "recipe", "student.layers=[0,6]")
    with pytest.raises(OperatorFault, match="has 6 layers"):
        make(resolved, tmp_path / "out", home)


def test_the_shipped_recipe_is_sound(tmp_path: Path) -> None:
    path = ROOT / "recipes" / "triage-mini.toml"
    assert is_for_labels(path) and not is_for_labels(ROOT / "recipes" / "quick.toml")
    resolved = read_labels(path)
    manifest = read_corpus(resolved.recipe, resolved.folder).manifest
    assert len(manifest.labels) == 77 and manifest.num_left == 0 and manifest.num_strangers == 1100
