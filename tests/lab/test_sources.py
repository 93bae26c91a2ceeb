"""Checkpoints from strangers, as a recipe names them: pickles, damaged files, values that are no numbers."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_recipe, tiny_task  # noqa: E402
from tests.unit.engines import checkpoints  # noqa: E402
from tests.unit.engines.checkpoints import random_weights, write_gguf  # noqa: E402

from wicket.errors import EngineFault, Fault, OperatorFault  # noqa: E402
from wicket.lab import recipe_run  # noqa: E402
from wicket.lab.recipe_run import make  # noqa: E402
from wicket.lab.sources import open_source  # noqa: E402

OPENED = Path("opened")


class Trap:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (OPENED,)


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "pytorch_model.bin", "model.gguf"])
def test_a_pickle_is_never_loaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(EngineFault, match=r"is a pickle: .* Convert it"):
        open_source(name, tmp_path, tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text("{}")
    torch.save({"x": torch.zeros(2)}, tmp_path / "folder" / "pytorch_model.bin")
    with pytest.raises(EngineFault, match="is a pickle"):
        open_source("folder", tmp_path, tmp_path)
    assert not OPENED.exists()


def test_a_checkpoint_cut_anywhere_is_refused_with_a_message(tmp_path: Path) -> None:
    whole = tiny_task.base(tmp_path).read_bytes()
    for end in (0, 3, 40, 400, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.gguf").write_bytes(whole[:end])
        with pytest.raises(Fault):
            read_whole("cut.gguf", tmp_path)
    with pytest.raises(EngineFault, match="There is no model"):
        open_source("./nowhere.gguf", tmp_path, tmp_path)


def read_whole(name: str, folder: Path) -> None:
    found = open_source(name, folder, folder)
    for part in ("embed", "norm", "0.q", "1.down"):
        found.checkpoint.matrix(part)


def recipe_with(folder: Path, teacher: str, vocabulary: str = "") -> str:
    """The small recipe with a checkpoint as its teacher."""
    text = small_recipe.TEXT
    start, end = text.index("[vocabulary]"), text.index("[[steps]]")
    return f"{text[:start]}{vocabulary}\n[teacher]\ncheckpoint = '{teacher}'\n{text[end:]}"


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recipe"
    weights = random_weights(seed=1)
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = np.nan
    folder.mkdir()
    write_gguf(folder / "nan.gguf", weights)
    resolved = small_recipe.write(folder, text=recipe_with(folder, "nan.gguf"))
    with pytest.raises(EngineFault, match=r"nan.gguf holds values that are no numbers"):
        make(resolved, tmp_path / "run", tmp_path)


def test_a_student_of_other_words_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    tiny_task.base(folder)
    other = '[vocabulary]\ntrain = 262\n[student]\ncheckpoint = "base.gguf"'
    fresh = "[teacher]\nshape = { layers = 2, hidden = 64, heads = 4, ffn = 96 }\npace = { steps = 1 }\n"
    text = small_recipe.TEXT
    start, end = text.index("[vocabulary]"), text.index("[[steps]]")
    small = small_recipe.write(
        folder, "vocabulary.train=300", text=f"{text[:start]}{other}\n{fresh}{text[end:]}"
    )
    with pytest.raises(OperatorFault, match="vocabulary has 300 tokens and the checkpoint 262"):
        make(small, tmp_path / "small", tmp_path)


def test_as_many_words_in_another_order_are_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    tiny_task.base(folder)
    words = checkpoints.vocabulary()
    words[70], words[71] = words[71], words[70]
    monkeypatch.setattr(checkpoints, "vocabulary", lambda: words)
    write_gguf(folder / "other.gguf", random_weights(seed=1))
    text = recipe_with(folder, "other.gguf", '[vocabulary]\ncheckpoint = "base.gguf"')
    with pytest.raises(OperatorFault, match=r"other\.gguf numbers its tokens otherwise .* teacher's answers"):
        make(small_recipe.write(folder, text=text), tmp_path / "run", tmp_path)


def no_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize("work", [no_memory, lambda: torch.empty(1 << 60)], ids=["python", "torch"])
def test_memory_that_runs_out_says_what_to_lower(work: Callable[[], object], tmp_path: Path) -> None:
    with (
        pytest.raises(OperatorFault, match=r"not enough memory: lower data.rows or data.length"),
        recipe_run._told(tmp_path),
    ):
        work()


def test_a_checkpoint_is_a_teacher(tmp_path: Path) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    tiny_task.base(folder)
    text = recipe_with(folder, "base.gguf").replace("layers = 1", "layers = 0")
    text = (
        text[: text.index("[[steps]]")]
        + '[[steps]]\ntechnique = "quantise"\n'
        + text[text.index("[export]") :]
    )
    verdict = make(small_recipe.write(folder, text=text), tmp_path / "run", tmp_path)
    assert {check.name: check.passed for check in verdict.checks}["round_trip"]
    assert small_recipe.report(tmp_path / "run")["models"][0]["source"] == "base.gguf"


def test_evaluation_data_left_in_training_fails_the_gate(tmp_path: Path) -> None:
    folder = tmp_path / "recipe"
    quick = ["teacher.pace.steps=2", "steps.1.pace.steps=1", "steps.2.pace.steps=1", "evaluate.samples=2"]
    resolved = small_recipe.write(folder, "data.overlap='keep'", *quick)
    with (folder / "train.jsonl").open("a") as file:
        file.write((folder / "test.jsonl").read_text().splitlines()[0] + "\n")
    verdict = make(resolved, tmp_path / "run", tmp_path)
    assert not verdict.passed
    assert [check.name for check in verdict.checks if not check.passed] == ["evaluation_in_training"]
