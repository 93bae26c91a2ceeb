"""stories260K, the golden test: its published greedy text comes out of every lossless path."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_recipe  # noqa: E402

from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer  # noqa: E402
from wicket.engines.contract import Event, Generate, Piece, Sampling  # noqa: E402
from wicket.errors import EngineFault  # noqa: E402
from wicket.lab.answering import loaded  # noqa: E402
from wicket.lab.encode import PLAIN  # noqa: E402
from wicket.lab.export_folder import export_folder  # noqa: E402
from wicket.lab.export_gguf import FORMATS, export_gguf  # noqa: E402
from wicket.lab.likeness import Likeness, likeness  # noqa: E402
from wicket.lab.llama import Llama, from_checkpoint  # noqa: E402
from wicket.lab.llama2c import Llama2cCheckpoint, read_pieces  # noqa: E402
from wicket.lab.material import Batch, Material, Windows, consecutive  # noqa: E402
from wicket.lab.model_file import read_model, write_model  # noqa: E402
from wicket.lab.recipe import read_recipe  # noqa: E402
from wicket.lab.recipe_run import make  # noqa: E402
from wicket.lab.technique import known_techniques  # noqa: E402
from wicket.lab.techniques import lora, pad_width, share_layers  # noqa: E402
from wicket.lab.vocabulary import pieces_vocabulary  # noqa: E402

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "stories260K"
STEPS = 256
TECHNIQUES: dict[str, dict[str, Any]] = {
    "distil": {"pace": {"steps": 8, "rate": 1e-4}},
    "learn_tokens": {"pace": {"steps": 8, "rate": 1e-4}},
    "lora": {"pace": {"steps": 8, "rate": 1e-3}, "rank": 4},
    "pad_width": {},
    "prune_depth": {"layers": 1},
    "prune_weights": {"share": 0.3},
    "prune_width": {"ffn": 160},
    "quantise": {"scheme": "q8_0"},
    "share_layers": {"how": "repeat"},
    "train_on_grid": {"pace": {"steps": 8, "rate": 1e-4}, "scheme": "q8_0"},
}


@pytest.fixture(scope="module")
def teller() -> Llama:
    return from_checkpoint(Llama2cCheckpoint(DATA / "stories260K.bin")).eval()


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stories") / "vocabulary.gguf"
    pieces_vocabulary(path, DATA / "tok512.bin")
    return path


@pytest.fixture(scope="module")
def published() -> str:
    return (DATA / "reference.txt").read_text("utf-8").strip()


@pytest.fixture(scope="module")
def judges(vocabulary: Path) -> list[Batch]:
    text = (ROOT / "recipes" / "data" / "stories-test.txt").read_text()
    tokens = torch.tensor([1, *tokenizer(vocabulary).encode(text)])
    return consecutive(tokens, length=128, rows=8, limit=4)


def told(path: Path) -> str:
    """What the engine tells from nothing, as llama2.c's documentation has it told."""
    events: list[Event] = []
    with loaded(path, scheme="f32") as engine:
        engine.submit(Generate(1, [1], STEPS, Sampling(temperature=0.0)))
        while not engine.is_idle():
            events += engine.step()
    return "".join(event.text for event in events if isinstance(event, Piece)).strip()


def written(model: Llama, vocabulary: Path, path: Path, scheme: str = "f32") -> Path:
    export_gguf(model, vocabulary, path, scheme=scheme, template=PLAIN, name="stories")
    return path


def padded(model: Llama) -> None:
    found = pad_width.apply(model, pad_width.Options(), nothing())
    assert (found.before, found.after) == (172, 192) and model.num_parameters() > 260_032


def unshared(model: Llama) -> None:
    share_layers.apply(model, share_layers.Options(how="apart"), nothing())


def with_adapters(model: Llama) -> None:
    pace = msgspec.convert({"steps": 1}, lora.Pace)
    lora.attach(model, lora.Options(pace=pace), seed=0)
    model.settle()


def nothing() -> Material:
    found: Any = None
    return Material(training=found, calibration=[])


@pytest.mark.parametrize("change", [lambda model: None, padded, unshared, with_adapters])
def test_lossless_paths_tell_the_published_story(
    change: Callable[[Llama], None], teller: Llama, vocabulary: Path, published: str, tmp_path: Path
) -> None:
    model = copy.deepcopy(teller)
    change(model)
    assert told(written(model, vocabulary, tmp_path / "model.gguf")) == published
    write_model(tmp_path / "kept.safetensors", model)
    again = read_model(tmp_path / "kept.safetensors")
    export_folder(again, tokenizer(vocabulary), tmp_path / "hf", template=PLAIN)
    assert told(tmp_path / "hf") == published
    back = from_checkpoint(open_checkpoint(tmp_path / "hf"))
    assert told(written(back, vocabulary, tmp_path / "back.gguf")) == published


def test_each_format_loses_what_it_must_and_no_more(
    teller: Llama, vocabulary: Path, judges: list[Batch], tmp_path: Path
) -> None:
    model = copy.deepcopy(teller)
    padded(model)
    found: dict[str, Likeness] = {}
    for scheme in FORMATS:
        held = from_checkpoint(open_checkpoint(written(model, vocabulary, tmp_path / "m.gguf", scheme)))
        found[scheme] = likeness(held, judges, teller)
    kls = {scheme: found[scheme].kl or 0.0 for scheme in FORMATS}
    assert abs(kls["f32"]) < 1e-6 and kls["f16"] < 1e-5
    assert kls["f16"] < kls["q8_0"] < 0.01 < kls["q5_0"] < kls["q4_0"] < 0.5
    assert kls["q5_1"] < kls["q4_1"] < 0.5
    bare = written(teller, vocabulary, tmp_path / "bare.gguf", "q4_0").stat().st_size
    assert (tmp_path / "m.gguf").stat().st_size < bare, "an FFN of 172 can't be held in blocks of 32"


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_every_technique_leaves_a_teller(
    name: str, teller: Llama, vocabulary: Path, judges: list[Batch], tmp_path: Path
) -> None:
    text = (ROOT / "recipes" / "data" / "stories-train.txt").read_text()
    windows = Windows(torch.tensor(tokenizer(vocabulary).encode(text)), length=64, rows=8, seed=0)
    calm = [windows.batch(1_000 + number) for number in range(2)]
    technique, model = known_techniques()[name], copy.deepcopy(teller)
    options = msgspec.convert(TECHNIQUES[name], technique.options)
    report = technique.apply(model, options, Material(training=windows, calibration=calm, teacher=teller))
    assert msgspec.json.encode(report)
    path = written(model, vocabulary, tmp_path / "model.gguf", "q8_0")
    found = likeness(from_checkpoint(open_checkpoint(path)), judges, teller)
    assert found.loss < (7.0 if name == "share_layers" else 2.3), "guessing is 6.2, the published model 1.5"


def test_the_recipe_keeps_its_promises(tmp_path: Path) -> None:
    verdict = make(read_recipe(ROOT / "recipes" / "stories-260k.toml"), tmp_path / "run", tmp_path)
    assert verdict.passed
    found = small_recipe.report(tmp_path / "run")
    assert found["models"][1]["size"]["num_parameters"] == 260_032
    [from_nothing, _] = found["evaluated"]["continued"]
    assert from_nothing[1].strip() == (DATA / "reference.txt").read_text().strip()
    assert json.loads((tmp_path / "run" / "card.json").read_text())["lineage"]["teacher"] == "stories260K.bin"


def test_damaged_files_of_llama2c_are_refused(tmp_path: Path) -> None:
    whole, words = (DATA / "stories260K.bin").read_bytes(), (DATA / "tok512.bin").read_bytes()
    for name, data in {"short": whole[:20], "cut": whole[:9_000], "sizes": b"\xff" * 40}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(EngineFault):
            Llama2cCheckpoint(tmp_path / name)
    for name, data in {"cut": words[:-3], "length": words[:8] + b"\xff" * 4, "few": words[:200]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(EngineFault):
            pieces_vocabulary(tmp_path / "out.gguf", tmp_path / name)
    assert len(read_pieces(DATA / "tok512.bin")) == 512
