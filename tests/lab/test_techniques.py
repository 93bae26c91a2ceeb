"""Every technique behind its one seam: needs, options, apply, a report; and one after the other."""

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab.tiny_decoder import decoder, logits, material  # noqa: E402

from wicket.lab.llama import Llama  # noqa: E402
from wicket.lab.material import Material  # noqa: E402
from wicket.lab.model_file import read_model, write_model  # noqa: E402
from wicket.lab.technique import NEEDS, known_techniques  # noqa: E402

PACE = {"steps": 2, "rate": 1e-4}
OPTIONS: dict[str, dict[str, Any]] = {
    "distil": {"pace": PACE},
    "learn_tokens": {"pace": PACE},
    "lora": {"pace": PACE, "rank": 2},
    "pad_width": {"multiple": 64},
    "prune_depth": {"layers": 1},
    "prune_weights": {"share": 0.5},
    "prune_width": {"ffn": 64, "kv_heads": 1, "hidden": 32},
    "quantise": {"scheme": "q8_0"},
    "share_layers": {"times": 2},
    "train_on_grid": {"pace": PACE},
}


class Nothing:
    """Whoever asks this for anything used what it does not need."""

    def batch(self, number: int) -> Any:
        raise AssertionError("training data")

    def __iter__(self) -> Any:
        raise AssertionError("calibration data")

    def __len__(self) -> int:
        raise AssertionError("calibration data")


def given(needs: frozenset[str], teacher: Llama, folder: Path) -> Material:
    """What a technique says it needs, and nothing else."""
    whole = material(teacher)
    nothing: Any = Nothing()
    return Material(
        training=whole.training if "training" in needs else nothing,
        calibration=whole.calibration if "calibration" in needs else nothing,
        teacher=teacher if needs & {"teacher", "any_teacher"} else None,
        folder=folder,
    )


def test_the_list_here_is_complete() -> None:
    assert set(OPTIONS) == set(known_techniques())


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_technique_needs_what_it_says_reports_and_survives_a_file(name: str, tmp_path: Path) -> None:
    technique = known_techniques()[name]
    assert technique.needs <= NEEDS and technique.says.endswith((".", ")", ":"))
    teacher = decoder(seed=1)
    model = copy.deepcopy(teacher)
    options = msgspec.convert(OPTIONS[name], technique.options)
    report = technique.apply(model, options, given(technique.needs, teacher, tmp_path))
    assert isinstance(report, msgspec.Struct) and msgspec.json.encode(report)
    [batch, *_] = material().calibration
    found = logits(model, batch)
    assert torch.isfinite(found).all() and len(model.layers) == model.shape.num_layers
    write_model(tmp_path / "model.safetensors", model)
    again = read_model(tmp_path / "model.safetensors")
    assert torch.equal(logits(again, batch), found)
    assert again.shape == model.shape and again.num_parameters() == model.num_parameters()
    assert {key: packed.scheme for key, packed in again.packed.items()} == {
        key: packed.scheme for key, packed in model.packed.items()
    }


@pytest.mark.parametrize(
    "names",
    [
        ("prune_depth", "prune_width", "distil", "train_on_grid"),
        ("share_layers", "learn_tokens", "quantise"),
        ("prune_weights", "distil", "lora", "pad_width"),
        ("train_on_grid", "prune_width", "quantise", "lora"),
    ],
)
def test_techniques_follow_each_other(names: tuple[str, ...], tmp_path: Path) -> None:
    teacher, path = decoder(seed=1), tmp_path / "model.safetensors"
    write_model(path, teacher)
    [batch, *_] = material().calibration
    for name in names:
        technique, model = known_techniques()[name], read_model(path)
        options = msgspec.convert(OPTIONS[name], technique.options)
        technique.apply(model, options, given(technique.needs, teacher, tmp_path))
        for save in tmp_path.glob("training.*"):
            save.unlink()
        write_model(path, model)
    assert torch.isfinite(logits(read_model(path), batch)).all()


def test_zeros_stay_zeros_through_a_file_and_a_training(tmp_path: Path) -> None:
    model, path = decoder(seed=1), tmp_path / "model.safetensors"
    found = known_techniques()
    found["prune_weights"].apply(model, msgspec.convert({}, found["prune_weights"].options), material())
    write_model(path, model)
    again = read_model(path)
    found["distil"].apply(
        again, msgspec.convert({"pace": PACE}, found["distil"].options), material(decoder())
    )
    assert float((again.layers[0].weight("gate") == 0).float().mean()) >= 0.5


def test_shared_layers_are_shared_again_and_stored_once(tmp_path: Path) -> None:
    model, sizes = decoder(seed=1), []
    shared = known_techniques()["share_layers"]
    for how in ("merge", "apart"):
        shared.apply(model, msgspec.convert({"how": how}, shared.options), material())
        write_model(tmp_path / how, model)
        again = read_model(tmp_path / how)
        sizes.append((len(dict.fromkeys(again.layers)), (tmp_path / how).stat().st_size))
    (num_shared, small), (num_apart, large) = sizes
    assert (num_shared, num_apart) == (2, 4) and small < 0.7 * large
