"""A run of a recipe: what it leaves, that it goes on where it was, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_recipe  # noqa: E402
from tests.path.hosted import Host  # noqa: E402

from wicket.engines.checkpoints.locate import find  # noqa: E402
from wicket.errors import ConfigFault, OperatorFault  # noqa: E402
from wicket.lab import recipe_run, recipe_stages, steps  # noqa: E402
from wicket.lab.recipe_run import make  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab") / "home"


@pytest.fixture(scope="module")
def done(home: Path) -> Path:
    """A run that is over, under the name that `run:small` finds."""
    resolved = small_recipe.write(home.parent / "recipe")
    folder = home / "runs" / "small"
    assert make(resolved, folder, home).passed
    return folder


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    shutil.copytree(done, tmp_path / "copy")
    return tmp_path / "copy"


def undo(folder: Path, *stages: str) -> None:
    """As if the run had been interrupted before these stages were over."""
    state = json.loads((folder / "run.json").read_text())
    for stage in stages:
        del state["stages"][stage]
    (folder / "run.json").write_text(json.dumps(state))


def test_it_leaves_what_the_house_promises(done: Path) -> None:
    names = {path.name for path in done.iterdir()}
    assert names == {
        "model.gguf", "hf", "card.json", "CARD.md", "report.json", "report.html", "recipe.json", "run.json",
        "checkpoints",
    }  # fmt: skip
    assert not list((done / "checkpoints").glob("*.saves")), "nothing is left to go on from"
    found = small_recipe.report(done)
    assert found["gate"]["passed"] is True and found["seed"] == 3 and found["versions"]["torch"]
    checks = {check["name"]: check for check in found["gate"]["checks"]}
    assert set(checks) == {"evaluation_in_training", "round_trip", "template_and_ends", "bytes"}
    assert checks["round_trip"]["value"] < 0.001
    assert [made["name"] for made in found["models"]] == [
        "teacher", "student", "1-prune_depth", "2-distil", "3-train_on_grid",
    ]  # fmt: skip
    assert found["data"]["num_train"] == 200 and len(found["data"]["files"]["train"]["sha256"]) == 64
    page = (done / "report.html").read_text()
    assert page.count("<svg") == 4 and "Side by side" in page and "http" not in page.replace("http-equiv", "")


def test_each_step_reports_what_it_changed(done: Path) -> None:
    models = small_recipe.report(done)["models"]
    teacher, student, pruned, distilled, trained = (made["size"] for made in models)
    assert student["num_parameters"] == teacher["num_parameters"] > pruned["num_parameters"]
    assert pruned["file_bytes"] < 0.9 * student["file_bytes"] and pruned["shape"]["num_layers"] == 2
    assert distilled["exported"]["kl"] < 0.7 * pruned["exported"]["kl"]
    assert abs(student["plain"]["kl"]) < 1e-6 < student["exported"]["kl"]
    assert all(size["speed"] > 0 for size in (teacher, pruned, trained))
    assert models[3]["curve"] and models[2]["report"]["removed"] == [1]


def test_the_exported_file_is_what_was_evaluated(done: Path) -> None:
    found = small_recipe.report(done)
    student, exported = found["evaluated"]["student"], found["exported"]
    assert student["num"] == 6 and len(found["evaluated"]["answers"]) == 6
    assert student["figures"]["file_bytes"] == (done / "model.gguf").stat().st_size == exported["file_bytes"]
    last = found["models"][-1]["size"]["exported"]
    assert student["likeness"]["loss"] == pytest.approx(last["loss"], abs=1e-5)
    assert exported["rounding"] > exported["round_trip"] and exported["folder_round_trip"] < 0.001


def test_it_is_served_with_its_card(done: Path, home: Path, tmp_path: Path) -> None:
    found = find("run:small", home)
    assert (found.id, found.licence, found.sampling.temperature) == ("small", "CC0-1.0", 0.0)
    (tmp_path / "home").symlink_to(home)
    with Host(tmp_path, "run:small") as host:
        answer = host.sdk.chat.completions.create(
            model="small", messages=[{"role": "user", "content": "da de buy do du"}], temperature=0
        )
        assert answer.choices[0].message.content
        card: Any = host.client.get("/v1/models/small").json()
    assert card["licence"] == "CC0-1.0" and card["run"]["lineage"]["steps"][0] == "prune_depth"
    assert card["run"]["evaluation"]["gate_passed"] is True and card["run"]["limits"]
    assert "## Lineage" in (done / "CARD.md").read_text()


def test_others_can_read_the_folder(done: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = transformers.AutoTokenizer.from_pretrained(done / "hf")
    model = transformers.AutoModelForCausalLM.from_pretrained(done / "hf", dtype=torch.float32).eval()
    ours = recipe_stages.read_model(done / "checkpoints" / "3-train_on_grid.safetensors")
    ids = torch.tensor([words.encode("da de buy do du => 17")])
    assert words.decode(ids[0]) == "da de buy do du => 17"
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, ours(ids), rtol=1e-3, atol=1e-3)


def test_a_finished_stage_is_not_done_again(copy: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(steps, "descend", never)
    undo(copy, "export", "evaluate")
    (copy / "model.gguf").unlink()
    assert make(small_recipe.write(home.parent / "recipe"), copy, home).passed
    assert (copy / "model.gguf").is_file()


def test_an_interrupted_step_goes_on_inside(copy: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undo(copy, "step 2", "step 3", "export", "evaluate")
    whole = small_recipe.report(copy)["models"][3]["size"]["plain"]["loss"]
    resolved = small_recipe.write(home.parent / "recipe")
    state: dict[str, Any] = {"number": 0, "limit": 12}
    descend = steps.descend

    def counted(*given: Any) -> None:
        if state["number"] == state["limit"]:
            raise KeyboardInterrupt
        state["number"] += 1
        descend(*given)

    monkeypatch.setattr(steps, "descend", counted)
    with pytest.raises(KeyboardInterrupt):
        make(resolved, copy, home)
    state |= {"number": 0, "limit": 10_000}
    make(resolved, copy, home)
    assert state["number"] == 20 - 12 + 6, "the twelve steps that were saved are not taken again"
    again = small_recipe.report(copy)["models"][3]["size"]["plain"]["loss"]
    assert again == pytest.approx(whole, rel=0.02)


def test_a_step_may_learn_from_stored_logits_and_the_next_one_finds_them(home: Path, tmp_path: Path) -> None:
    quick = ["teacher.pace.steps=4", "steps.1.pace.steps=3", "steps.2.pace.steps=2", "evaluate.samples=2"]
    stored = ["steps.1.logits='stored'", "steps.1.k=9", "steps.2.logits='stored'", "steps.2.k=9"]
    resolved = small_recipe.write(tmp_path / "recipe", *quick, *stored)
    make(resolved, tmp_path / "run", home)
    models = small_recipe.report(tmp_path / "run")["models"]
    first, second = (models[place]["report"]["stored"] for place in (3, 4))
    assert first["bytes_per_token"] == 9 * 4 and first["num_asked"] == first["num_places"] > 0
    assert second == first | {"num_asked": 0}, "the second step reads the same batches"
    assert models[3]["curve"] and "9 likeliest tokens" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(ConfigFault, match=r"steps\[1\]\.divergence: stored logits know only the likeliest"):
        small_recipe.write(tmp_path / "recipe", *stored, "steps.1.divergence='reverse'")


def test_another_recipe_or_other_data_needs_another_folder(copy: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="another --out"):
        make(small_recipe.write(tmp_path / "recipe", "seed=4"), copy, home)
    resolved = small_recipe.write(tmp_path / "recipe")
    with (tmp_path / "recipe" / "train.jsonl").open("a") as file:
        file.write((tmp_path / "recipe" / "test.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(OperatorFault, match="data changed"):
        make(resolved, copy, home)


def test_what_it_can_not_have_is_told_before_it_starts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = small_recipe.write(tmp_path / "recipe")
    for name, told in (("_available", "free. Lower data.rows"), ("_free", "left. Choose another --out")):
        with monkeypatch.context() as patch:
            patch.setattr(recipe_stages.estimate, name, lambda *_: 1000)
            with pytest.raises(OperatorFault, match=told):
                make(resolved, tmp_path / name, home)


def test_a_training_that_diverges_and_a_full_disk_say_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = small_recipe.write(tmp_path / "recipe", "teacher.pace.rate=1e12", "teacher.pace.warm_up=0")
    with pytest.raises(OperatorFault, match=r"diverged|no numbers"):
        make(wild, tmp_path / "wild", home)
    resolved = small_recipe.write(tmp_path / "recipe")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recipe_run.recipe_stages, "export_gguf", full)
    with pytest.raises(OperatorFault, match="make room and start the same command again"):
        make(resolved, tmp_path / "full", home)


def wicket(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "WICKET_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "wicket.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)


def test_the_command_line_runs_lists_shows_and_compares(done: Path, home: Path) -> None:
    recipe = str(home.parent / "recipe" / "small.toml")
    ran = wicket(home, "lab", "run", recipe, "--json")  # it is over, so only its report is written again
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["gate"]["passed"] is True and ran.stderr == ""
    listed = json.loads(wicket(home, "lab", "list", "--json").stdout)
    assert [run["run"] for run in listed] == ["small"] and listed[0]["passed"]
    assert "3-train_on_grid" in wicket(home, "lab", "show", "small").stdout
    compared = wicket(home, "lab", "compare", "small", str(done)).stdout
    assert compared.count("small") == 2 and "passed" in compared
    wrong = wicket(home, "lab", "run", recipe, "--set", "teecher.x=1")
    assert wrong.returncode == 1 and "did you mean teacher?" in wrong.stderr
    assert "there are: small" in wicket(home, "lab", "show", "other").stderr
    assert "no recipe nowhere.toml" in wicket(home, "lab", "run", "nowhere.toml").stderr


def test_the_quick_recipe_runs_small_and_its_gate_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["teacher.pace.steps=12", "steps.2.pace.steps=4", "steps.3.pace.steps=3", "evaluate.samples=4"]
    small += ["evaluate.batches=2", "data.rows=8", "gate.keep=0.0", "gate.max_kl=0.0"]
    words = [str(ROOT / "recipes" / "quick.toml"), "--home", str(tmp_path)]
    words += [word for override in small for word in ("--set", override)]
    num_threads = torch.get_num_threads()
    assert recipe_run.main(words) == recipe_run.GATE_FAILED
    torch.set_num_threads(num_threads)
    said = capsys.readouterr().err
    assert "estimate: about" in said and "step 4 of 4, train_on_grid" in said and "the gate: kl is" in said
    checks = small_recipe.report(tmp_path / "runs" / "quick")["gate"]["checks"]
    assert [check["name"] for check in checks if not check["passed"]] == ["kl"]
