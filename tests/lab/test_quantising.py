"""Quantisation: what is chosen, trained and exported are one and the same grid."""

import copy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402
from tests.lab.tiny_decoder import decoder, material  # noqa: E402

from wicket.engines.checkpoints.opening import open_checkpoint  # noqa: E402
from wicket.errors import OperatorFault  # noqa: E402
from wicket.lab.encode import PLAIN  # noqa: E402
from wicket.lab.export_gguf import export_gguf  # noqa: E402
from wicket.lab.grids import BLOCK, GRIDS, on_grid  # noqa: E402
from wicket.lab.likeness import likeness  # noqa: E402
from wicket.lab.llama import Llama, from_checkpoint  # noqa: E402
from wicket.lab.material import Material, Windows  # noqa: E402
from wicket.lab.steps import Pace  # noqa: E402
from wicket.lab.techniques import quantise, train_on_grid  # noqa: E402

SCHEMES = list(GRIDS)


def inputs(columns: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix, and inputs that go together in a few directions, as those of a layer do."""
    chance = torch.Generator().manual_seed(5)
    mixed = torch.randn(12, columns, generator=chance)
    reads = torch.randn(600, 12, generator=chance) @ mixed
    reads += 0.3 * torch.randn(600, columns, generator=chance)
    return torch.randn(40, columns, generator=chance) * 0.05, reads


def output_error(weight: torch.Tensor, other: torch.Tensor, reads: torch.Tensor) -> float:
    return float(((weight - other) @ reads.T).square().mean())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gptq_loses_less_of_the_output_than_rounding(scheme: str) -> None:
    weight, reads = inputs()
    gram = reads.T @ reads / len(reads)
    errors = {}
    for how in ("nearest", "gptq"):
        options = quantise.Options(scheme=scheme, how=how, scales="extremes")
        packed = quantise.quantised(GRIDS[scheme], weight.clone(), gram, options)
        errors[how] = output_error(weight, packed.weight, reads)
    assert errors["nearest"] == pytest.approx(output_error(weight, on_grid(GRIDS[scheme], weight), reads)), (
        "rounding is what an export does by itself"
    )
    assert errors["gptq"] < 0.67 * errors["nearest"]


def test_searched_scales_lose_less_and_never_more() -> None:
    weight, _ = inputs()
    gram = torch.eye(96)  # every input counts alike, so that the search's own measure is the error
    by = {}
    for scales in ("extremes", "search"):
        options = quantise.Options(how="nearest", scales=scales)
        found = quantise.quantised(GRIDS["q4_0"], weight.clone(), gram, options).weight
        by[scales] = (found - weight).square().reshape(40, -1, BLOCK).sum(-1)
    assert (by["search"] <= by["extremes"] + 1e-9).all() and by["search"].sum() < 0.95 * by["extremes"].sum()


def student(folder: Path) -> Llama:
    return from_checkpoint(open_checkpoint(tiny_task.base(folder)))


def material_of(model: Llama) -> Material:
    tokens = torch.randint(97, 123, (800,), generator=torch.Generator().manual_seed(2))
    windows = Windows(tokens, length=16, rows=4, seed=0)
    return Material(training=windows, calibration=[windows.batch(number) for number in range(2)])


@pytest.mark.parametrize("how", ["nearest", "gptq"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_file_holds_the_codes_that_were_chosen(tmp_path: Path, scheme: str, how: str) -> None:
    model = student(tmp_path)
    report = quantise.apply(model, quantise.Options(scheme=scheme, how=how), material_of(model))
    assert report.errors and all(0 <= error < 0.2 for error in report.errors.values())
    path = tmp_path / "model.gguf"
    export_gguf(model, tiny_task.base(tmp_path), path, scheme=scheme, template=PLAIN, name="tiny")
    held = dict(from_checkpoint(open_checkpoint(path)).matrices())
    checked = 0
    for name, weight in model.matrices():
        if name not in report.left:
            assert torch.equal(held[name], weight), name
            checked += 1
    assert checked == len(report.errors) > 0


def test_codes_are_dropped_once_the_weights_have_moved_on(tmp_path: Path) -> None:
    model = student(tmp_path)
    quantise.apply(model, quantise.Options(scheme="q4_1"), material_of(model))
    with torch.no_grad():
        for _, weight in model.matrices():
            weight.mul_(1.5)
    path = tmp_path / "model.gguf"
    export_gguf(model, tiny_task.base(tmp_path), path, scheme="q4_1", template=PLAIN, name="tiny")
    held = dict(from_checkpoint(open_checkpoint(path)).matrices())
    for name, weight in model.matrices():
        if weight.shape[1] % BLOCK == 0:
            torch.testing.assert_close(held[name], on_grid(GRIDS["q4_1"], weight), rtol=0, atol=0)


@pytest.mark.parametrize("scheme", ["q4_0", "q4_1", "q8_0"])
def test_what_was_trained_on_the_grid_is_what_the_file_holds(tmp_path: Path, scheme: str) -> None:
    model = student(tmp_path)
    options = train_on_grid.Options(scheme=scheme, pace=Pace(steps=3, rate=1e-3))
    train_on_grid.apply(model, options, material_of(model))
    path = tmp_path / "model.gguf"
    export_gguf(model, tiny_task.base(tmp_path), path, scheme=scheme, template=PLAIN, name="tiny")
    held = from_checkpoint(open_checkpoint(path))
    train_on_grid.put_on_grid(model, scheme)
    batch = material_of(model).calibration[0]
    with torch.no_grad():
        torch.testing.assert_close(held(batch.ids), model(batch.ids), rtol=1e-5, atol=1e-5)


def test_training_on_the_grid_wins_back_what_rounding_lost() -> None:
    taught = decoder(seed=4)
    found = material()
    trained = train_on_grid.train(
        taught, found.training, train_on_grid.hard_loss, Pace(steps=150, rate=3e-3, warm_up=5)
    )
    assert trained.curve[-1][1] < 0.75 * trained.curve[0][1]
    batches = list(found.calibration)
    whole = likeness(taught, batches).loss
    rounded, again = copy.deepcopy(taught), copy.deepcopy(taught)
    train_on_grid.put_on_grid(rounded, "q4_0")
    options = train_on_grid.Options(scheme="q4_0", pace=Pace(steps=80, rate=5e-4, warm_up=5))
    train_on_grid.apply(again, options, Material(**{**_fields(found), "teacher": taught}))
    train_on_grid.put_on_grid(again, "q4_0")
    lost = likeness(rounded, batches).loss - whole
    assert lost > 0 and likeness(again, batches).loss - whole < 0.8 * lost


def test_a_target_is_the_teacher_the_model_itself_or_the_tokens() -> None:
    other = decoder(seed=9)

    def trained(target: str, teacher: Llama | None) -> torch.Tensor:
        model, found = decoder(seed=4), material(teacher)
        options = train_on_grid.Options(pace=Pace(steps=3, rate=1e-3), target=target)
        train_on_grid.apply(model, options, found)
        return model(found.calibration[0].ids).detach()

    assert torch.equal(trained("itself", None), trained("teacher", decoder(seed=4)))
    assert torch.equal(trained("itself", other), trained("itself", None))
    assert torch.equal(trained("tokens", other), trained("teacher", None))
    assert not torch.equal(trained("teacher", other), trained("itself", other))


def _fields(found: Material) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(OperatorFault, match="q4_0, q4_1"):
        quantise.apply(decoder(), quantise.Options(scheme="q3_k"), material())
    with pytest.raises(OperatorFault, match="q4_0, q4_1"):
        train_on_grid.put_on_grid(decoder(), "q3_k")
