"""A recipe that trims its checkpoint's vocabulary, distils at every place and measures by words."""

import json
from pathlib import Path

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_recipe, tiny_task  # noqa: E402

from wicket.engines.checkpoints.llama import LlamaShape  # noqa: E402
from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer  # noqa: E402
from wicket.errors import ConfigFault  # noqa: E402
from wicket.lab.encode import CHATML_SHORT  # noqa: E402
from wicket.lab.export_gguf import export_gguf  # noqa: E402
from wicket.lab.llama import fresh  # noqa: E402
from wicket.lab.recipe_run import make  # noqa: E402
from wicket.lab.vocabulary import train_vocabulary  # noqa: E402
from wicket.lab.vocabulary_trim import rows_kept  # noqa: E402

TEXT = """name = "halved"
[data]
train = "train.jsonl"
evaluate = "test.jsonl"
rows = 8
calibration_batches = 2
licence = "CC0-1.0"
[vocabulary]
trim = 320
[teacher]
checkpoint = "whole.gguf"
pace = { steps = 12, rate = 3e-3, warm_up = 2 }
[[steps]]
technique = "prune_depth"
layers = 2
[[steps]]
technique = "distil"
places = "all"
hard = 0.2
pace = { steps = 6, rate = 2e-3, warm_up = 2 }
[export]
scheme = "q4_0"
[evaluate]
samples = 6
batches = 2
max_tokens = 16
measures = ["command", "flags"]
[gate]
keep = 0.0
max_bytes = 0.9
"""
SHAPE = LlamaShape("llama", 4, 64, 4, 2, 16, 96, 0, 128, 10_000.0, 1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe beside a checkpoint with more words than the task needs."""
    folder = tmp_path_factory.mktemp("trim")
    other = Path(__file__).read_text().splitlines(keepends=True)
    task = [text for pair in tiny_task.requests(50, seed=1) for text in pair]
    train_vocabulary(folder / "words.gguf", [*other, *task], 420)
    size = tokenizer(folder / "words.gguf").vocab_size
    model = fresh(msgspec.structs.replace(SHAPE, vocab_size=size), seed=0)
    export_gguf(
        model, folder / "words.gguf", folder / "whole.gguf", scheme="f16", template=CHATML_SHORT, name="whole"
    )
    return folder


def test_teacher_and_student_share_the_trimmed_vocabulary(folder: Path) -> None:
    resolved = small_recipe.write(folder, text=TEXT)
    assert make(resolved, folder / "run", folder / "home").passed
    found = small_recipe.report(folder / "run")
    size = found["vocabulary"]["num_tokens"]
    whole = tokenizer(folder / "whole.gguf").vocab_size
    assert 260 <= size < whole
    assert {made["size"]["shape"]["vocab_size"] for made in found["models"]} == {size}
    for path in (folder / "run" / "model.gguf", folder / "run" / "checkpoints" / "teacher.gguf"):
        assert open_checkpoint(path).shape.vocab_size == tokenizer(path).vocab_size == size
    rows = rows_kept(folder / "whole.gguf", folder / "run" / "model.gguf")
    table = tokenizer(folder / "whole.gguf").token_bytes()
    assert tokenizer(folder / "run" / "model.gguf").token_bytes() == [table[row] for row in rows]


def test_what_answers_are_worth_is_in_report_page_and_card(folder: Path) -> None:
    found = small_recipe.report(folder / "run")
    worth = found["evaluated"]["worth"]
    assert list(worth) == ["command", "flags", "exact"]
    assert found["kept"] == worth["command"]["kept"][0]
    assert all(-1 <= each[side] <= 1 for each in worth.values() for side in ("teacher", "student"))
    assert "What answers are worth" in (folder / "run" / "report.html").read_text()
    card = json.loads((folder / "run" / "card.json").read_text())
    assert card["evaluation"]["worth"]["command"] == worth["command"]["student"]
    assert "then F1 of the other words" in (folder / "run" / "CARD.md").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('evaluate.measures=["comand"]', "did you mean command?"),
        ('vocabulary.file="a.bin"', "only a checkpoint's vocabulary can be trimmed"),
    ],
)
def test_mistakes_are_told(folder: Path, change: str, words: str) -> None:
    with pytest.raises(ConfigFault, match=r"small\.toml") as caught:
        small_recipe.write(folder, change, text=TEXT)
    assert words in caught.value.message
