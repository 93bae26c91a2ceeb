"""The parts of `techniques.py`: each takes a seed's bench and returns its figures."""

from __future__ import annotations

import copy
import itertools
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import byte_files
import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.engines.checkpoints.llama import LlamaShape
from wicket.lab.llama import Llama, fresh
from wicket.lab.logit_store import Wanted, write_store
from wicket.lab.material import Batch, Material, Windows, consecutive
from wicket.lab.measuring import difference
from wicket.lab.model_file import read_model, write_model
from wicket.lab.steps import Pace, precision, train
from wicket.lab.teaching import Live
from wicket.lab.techniques import distil, prune_depth, prune_weights, prune_width, quantise, train_on_grid

SHAPES = {
    "teacher": LlamaShape("llama", 4, 128, 4, 2, 32, 384, 128, 256, 10_000.0, 1e-5),
    "half": LlamaShape("llama", 4, 128, 4, 2, 32, 128, 128, 256, 10_000.0, 1e-5),  # of the layers' weights
    "student": LlamaShape("llama", 3, 64, 2, 1, 32, 192, 128, 256, 10_000.0, 1e-5),
}
SCHEME = "q4_0"
DRAWS = 1_000


class Budget(msgspec.Struct, frozen=True):
    """How many steps everything takes, of `rows` windows of `length` bytes. At those of `scratch` and
    `pruned` the two curves are read."""

    teacher: int = 1_720
    teacher_cut: int = 1_630
    scratch: tuple[int, ...] = (100, 200, 400, 800, 1_600)
    pruned: tuple[int, ...] = (25, 50, 100, 200)
    student: int = 250
    depth: int = 100
    grid: int = 100
    rows: int = 16
    length: int = 128
    held_out: int = 32

    @classmethod
    def scaled(cls, scale: float) -> Budget:
        """All steps times `scale`, two at least."""
        if scale == 1.0:
            return cls()
        whole = cls()

        def less(steps: int) -> int:
            return max(2, round(steps * scale))

        return cls(
            teacher=less(whole.teacher),
            teacher_cut=less(whole.teacher_cut),
            scratch=tuple(less(steps) for steps in whole.scratch),
            pruned=tuple(less(steps) for steps in whole.pruned),
            student=less(whole.student),
            depth=less(whole.depth),
            grid=less(whole.grid),
            held_out=4,
        )


class Bench:
    """One seed: its data, and what is measured on the last tenth of the text."""

    def __init__(
        self, learned: Tensor, judging: Tensor, seed: int, folder: Path, teacher: Llama, budget: Budget
    ) -> None:
        self.seed = seed
        self.folder = folder
        self.budget = budget
        self.teacher = teacher
        self.source = Windows(learned, length=budget.length, rows=budget.rows, seed=seed + 10)
        calibration = Windows(learned, length=budget.length, rows=8, seed=seed + 1_000)
        self.material = Material(
            training=self.source, calibration=[calibration.batch(number) for number in range(8)], seed=seed
        )
        self.taught = msgspec.structs.replace(self.material, teacher=teacher)
        self.held_out = consecutive(judging, length=budget.length, rows=budget.rows, limit=budget.held_out)

    def windows(self, model: Llama) -> Tensor:
        """The loss of each held-out window, (windows,)."""
        found = []
        with torch.no_grad(), precision(model):
            for batch in self.held_out:
                logits = model(batch.ids).float().transpose(1, 2)
                found.append(F.cross_entropy(logits, batch.targets, reduction="none").mean(1))
        return torch.cat(found)

    def loss(self, model: Llama) -> float:
        """In nats per byte."""
        return float(self.windows(model).mean())


class Later:
    """A source from another batch on."""

    def __init__(self, source: Windows, start: int) -> None:
        self._source, self._start = source, start

    def batch(self, number: int) -> Batch:
        return self._source.batch(self._start + number)


def rough_loss(model: Llama, number: int, batch: Batch) -> Tensor:
    """Cross-entropy with products in bfloat16: a fifth faster, for the teacher's long training."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(batch.ids, batch.learned)
    return F.cross_entropy(logits.float(), batch.targets[batch.learned])


def interval(bench: Bench, share: Callable[[Tensor], float]) -> list[float]:
    """A 95 % bootstrap interval of a figure of the held-out windows, drawn anew."""
    chance = torch.Generator().manual_seed(bench.seed)
    num = sum(len(batch.ids) for batch in bench.held_out)
    drawn = sorted(share(torch.randint(num, (num,), generator=chance)) for _ in range(DRAWS))
    return [drawn[DRAWS * 25 // 1_000], drawn[DRAWS * 975 // 1_000]]


def removed(bench: Bench, whole: Tensor, rounded: Tensor, better: Tensor, *, base: Tensor) -> dict[str, Any]:
    """The share of rounding's loss (`rounded` above `whole`) that is no more in `better` (above `base`)."""

    def share(drawn: Tensor) -> float:
        lost = (rounded[drawn] - whole[drawn]).mean()
        return float(1 - (better[drawn] - base[drawn]).mean() / lost)

    everything = torch.arange(len(whole))
    return {"removes": share(everything), "interval": interval(bench, share)}


def scratch(bench: Bench) -> dict[str, Any]:
    """The half shape from nothing: its loss after several numbers of steps, each with its own fall of the
    rate.

    Warm-up, plateau, and a cosine down over the last fifth (as good as one cosine, Hägele et al. 2024), so
    that the plateau is shared. The last model is kept for `quantisation`.
    """
    model, at, losses = fresh(SHAPES["half"], seed=bench.seed + 60), 0, dict[str, float]()
    note = bench.folder / f"scratch-{bench.seed}.begun.json"
    if note.exists():
        at, losses = msgspec.json.decode(note.read_bytes(), type=tuple[int, dict[str, float]])
        model = read_model(bench.folder / f"scratch-{bench.seed}-{at}.safetensors")
    cooled = model
    for steps in bench.budget.scratch:
        if str(steps) in losses:
            continue
        fall = max(1, steps // 5)
        flat = Pace(steps=steps - fall - at, rate=RATES["scratch"], warm_up=20 if at else 50, least_rate=1.0)
        train(model, Later(bench.source, at), train_on_grid.hard_loss, flat)
        at = steps - fall
        cooled = copy.deepcopy(model)
        down = Pace(steps=fall, rate=RATES["scratch"], warm_up=0, least_rate=0.02)
        train(cooled, Later(bench.source, at), train_on_grid.hard_loss, down)
        losses[str(steps)] = bench.loss(cooled)
        if steps < bench.budget.scratch[-1]:
            write_model(bench.folder / f"scratch-{bench.seed}-{at}.safetensors", model)
            note.write_bytes(msgspec.json.encode((at, losses)))
    write_model(bench.folder / f"half-{bench.seed}.safetensors", cooled)
    return {"losses": losses}


def pruning(bench: Bench) -> dict[str, Any]:
    """The half shape pruned out of the teacher and distilled: how many steps from scratch each of its own is
    worth, read off `scratch`'s curve."""
    losses = read_part(bench, "scratch")["losses"]
    points = sorted((loss, int(steps)) for steps, loss in losses.items())
    pruned = copy.deepcopy(bench.teacher)
    prune_width.apply(pruned, prune_width.Options(ffn=SHAPES["half"].ffn), bench.taught)
    found: dict[str, Any] = {"teacher": bench.loss(bench.teacher), "unrecovered": bench.loss(pruned)}
    for steps in bench.budget.pruned:
        model = copy.deepcopy(pruned)
        pace = Pace(steps=steps, rate=RATES["pruned"], warm_up=5, least_rate=0.02)
        distil.apply(model, distil.Options(pace=pace), bench.taught)
        loss = bench.loss(model)
        worth = steps_for(loss, points)
        found[str(steps)] = {"loss": loss, "worth": worth, "factor": worth / steps}
    write_model(bench.folder / f"pruned-{bench.seed}.safetensors", model)
    return found


def steps_for(loss: float, points: Sequence[tuple[float, int]]) -> float:
    """The steps at which a curve of (loss, steps), best first, has this loss: linear in the steps' logarithm.
    Better than its best counts as its last, a lower bound; worse than its worst as its first."""
    if loss <= points[0][0]:
        return float(points[0][1])
    for (low, more), (high, fewer) in itertools.pairwise(points):
        if loss <= high:
            share = (loss - low) / (high - low)
            return math.exp(math.log(more) + share * (math.log(fewer) - math.log(more)))
    return float(points[-1][1])


def read_part(bench: Bench, name: str) -> Any:
    """The figures of a part that was run before."""
    return msgspec.json.decode((bench.folder / f"{name}-{bench.seed}.json").read_bytes())


def quantisation(bench: Bench) -> dict[str, Any]:
    """Q4_0 on the seed's own half-size decoder: what rounding adds to its loss, and what GPTQ and training
    on the grid remove of that, taught by the model's own distribution before, or by the bytes. All in the
    file."""
    model = read_model(bench.folder / f"half-{bench.seed}.safetensors")
    found = rounding(bench, model)
    for target in ("itself", "tokens"):
        found[target] = on_grid(bench, model, bench.material, target)
    return found | {"grid_engine": in_engine(bench, "itself")}


def teacher_rounding(bench: Bench) -> dict[str, Any]:
    """Rounding and GPTQ on the teacher; a seed draws what calibrates."""
    return rounding(bench, bench.teacher)


def rounding(bench: Bench, model: Llama) -> dict[str, Any]:
    """What rounding to nearest adds to a model's loss, and what GPTQ removes of that, in the file."""
    whole, rounded = bench.windows(model), {}
    for how, scales in (("nearest", "extremes"), ("gptq", "search")):
        tried = copy.deepcopy(model)
        quantise.apply(tried, quantise.Options(scheme=SCHEME, how=how, scales=scales), bench.material)
        rounded[how] = exported(bench, tried, how)
    found: dict[str, Any] = {
        "float": float(whole.mean()),
        "nearest": float((rounded["nearest"] - whole).mean()),
        "gptq": float((rounded["gptq"] - whole).mean()),
        "gptq_share": removed(bench, whole, rounded["nearest"], rounded["gptq"], base=whole),
        "gptq_engine": in_engine(bench, "gptq"),
    }
    return found


def student_on_grid(bench: Bench) -> dict[str, Any]:
    """The same of the student that `pruning` made: whose distribution it had better learn on the grid."""
    model = read_model(bench.folder / f"pruned-{bench.seed}.safetensors")
    found: dict[str, Any] = {"float": bench.loss(model)}
    for target in ("teacher", "itself"):
        found[target] = on_grid(bench, model, bench.taught, target)
    return found


def on_grid(bench: Bench, model: Llama, material: Material, target: Any) -> dict[str, Any]:
    """Training on the grid beside a control that learned the same, with the same steps, unquantised."""
    pace = Pace(steps=bench.budget.grid, rate=RATES["grid"], warm_up=10, least_rate=0.02)
    control, trained = copy.deepcopy(model), copy.deepcopy(model)
    if target == "tokens":
        train(control, bench.source, train_on_grid.hard_loss, pace)
    else:
        teacher = copy.deepcopy(model) if target == "itself" else material.teacher
        taught = msgspec.structs.replace(material, teacher=teacher)
        distil.apply(control, distil.Options(pace=pace), taught)
    options = train_on_grid.Options(scheme=SCHEME, pace=pace, target=target)
    train_on_grid.apply(trained, options, material)
    base, nearest = bench.windows(control), exported(bench, control, "control")
    better = exported(bench, trained, target)
    return {
        "control": float(base.mean()),
        "control_rounded": float((nearest - base).mean()),
        "trained": float((better - base).mean()),
        "share": removed(bench, base, nearest, better, base=base),
    }


def exported(bench: Bench, model: Llama, name: str) -> Tensor:
    """The loss of each held-out window by the numbers of the file that the model makes."""
    path = bench.folder / f"{name}-{bench.seed}.gguf"
    byte_files.write(model, path, SCHEME)
    return bench.windows(byte_files.read(path))


def in_engine(bench: Bench, name: str) -> float:
    """Nats per token between what the engine computes of a file in float32 and what its numbers say."""
    path = bench.folder / f"{name}-{bench.seed}.gguf"
    return difference(path, byte_files.read(path), bench.held_out[0].ids[:8].tolist())


def distillation(bench: Bench) -> dict[str, Any]:
    """Losses of one small shape: taught by the bytes, by the teacher, by what the teacher had stored."""
    steps, found = bench.budget.student, {}
    pace = Pace(steps=steps, rate=RATES["student"], least_rate=0.02)
    student = fresh(SHAPES["student"], seed=bench.seed + 50)
    train(student, bench.source, train_on_grid.hard_loss, pace)
    found["hard_labels"] = bench.windows(student)
    student = fresh(SHAPES["student"], seed=bench.seed + 50)
    distil.apply(student, distil.Options(pace=pace), bench.taught)
    found["live"] = bench.windows(student)
    batches: list[Batch] = [bench.source.batch(number) for number in range(steps)]
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "logits", Live(bench.teacher), batches, Wanted(k=32))
        student = fresh(SHAPES["student"], seed=bench.seed + 50)
        distil.distil(student, distil.Options(pace=pace), bench.taught, store)
    found["stored"] = bench.windows(student)

    def above(name: str) -> dict[str, Any]:
        def share(drawn: Tensor) -> float:
            return float(found[name][drawn].mean() / found["live"][drawn].mean() - 1)

        return {"above_live": share(torch.arange(len(found[name]))), "interval": interval(bench, share)}

    return {
        "losses": {name: float(losses.mean()) for name, losses in found.items()},
        "hard_labels": above("hard_labels"),
        "stored": above("stored") | {"bytes_per_token": store.bytes_per_token},
    }


def depth(bench: Bench) -> dict[str, Any]:
    """A quarter of the layers gone, recovered: the share of the teacher's accuracy on the next byte."""
    model = copy.deepcopy(bench.teacher)
    gone = prune_depth.apply(model, prune_depth.Options(layers=model.shape.num_layers // 4), bench.taught)
    teacher, before = right(bench, bench.teacher), right(bench, model)
    losses = {"teacher": bench.loss(bench.teacher), "unrecovered": bench.loss(model)}
    pace = Pace(steps=bench.budget.depth, rate=RATES["pruned"], warm_up=5, least_rate=0.02)
    distil.apply(model, distil.Options(pace=pace), bench.taught)
    after = right(bench, model)

    def kept(drawn: Tensor) -> float:
        return float(after[drawn].mean() / teacher[drawn].mean())

    return {
        "removed": gone.removed,
        "losses": losses | {"recovered": bench.loss(model)},
        "accuracy": {
            "teacher": float(teacher.mean()),
            "unrecovered": float(before.mean()),
            "recovered": float(after.mean()),
        },
        "kept": kept(torch.arange(len(after))),
        "interval": interval(bench, kept),
    }


def right(bench: Bench, model: Llama) -> Tensor:
    """Of each held-out window the share of bytes that the model thinks likeliest, (windows,)."""
    with torch.no_grad(), precision(model):
        shares = [(model(batch.ids).argmax(-1) == batch.targets).float().mean(1) for batch in bench.held_out]
    return torch.cat(shares)


def sparsity(bench: Bench) -> dict[str, Any]:
    """Half of the teacher's weights gone, without recovery (`sparsity.py` has a model with outliers)."""
    whole, found = bench.loss(bench.teacher), {}
    for name, by, among in (("magnitude", "magnitude", "matrix"), ("wanda", "wanda", "row")):
        model = copy.deepcopy(bench.teacher)
        prune_weights.apply(model, prune_weights.Options(by=by, among=among), bench.material)
        found[name] = bench.loss(model) - whole
    return found | {"ratio": found["wanda"] / found["magnitude"]}


RATES = {"scratch": 3e-3, "pruned": 3e-3, "student": 3e-3, "grid": 5e-4}
PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "scratch": scratch,
    "pruning": pruning,
    "quantisation": quantisation,
    "distillation": distillation,
    "depth": depth,
    "sparsity": sparsity,
    "student_on_grid": student_on_grid,
    "teacher_rounding": teacher_rounding,
}
