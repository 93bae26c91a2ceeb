"""Distillation: the divergences against plain formulas, and a student that grows like its teacher."""

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab.tiny_decoder import SHAPE, VOCABULARY, decoder, logits, material  # noqa: E402

from wicket.errors import OperatorFault  # noqa: E402
from wicket.lab import logit_store  # noqa: E402
from wicket.lab.encode import Encoded, collate  # noqa: E402
from wicket.lab.likeness import likeness  # noqa: E402
from wicket.lab.llama import Llama, fresh  # noqa: E402
from wicket.lab.logit_store import Store, Wanted, rows_of, write_store  # noqa: E402
from wicket.lab.material import Batch  # noqa: E402
from wicket.lab.steps import Pace, train  # noqa: E402
from wicket.lab.teaching import Likeliest, Live  # noqa: E402
from wicket.lab.techniques import distil, lora  # noqa: E402
from wicket.lab.techniques.train_on_grid import hard_loss  # noqa: E402

SMALL = msgspec.structs.replace(SHAPE, num_layers=2, ffn=64)
PACE = Pace(steps=40, rate=3e-3, warm_up=5)


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(8)
    return torch.randn(5, 9, generator=chance) * 2, torch.randn(5, 9, generator=chance) * 2


def kl(p: list[float], q: list[float]) -> float:
    return float(sum(a * (torch.tensor(a).log() - torch.tensor(b).log()) for a, b in zip(p, q, strict=True)))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_divergences_are_their_formulas(temperature: float) -> None:
    ours, theirs = pair()
    options = distil.Options(pace=PACE, temperature=temperature, mix=0.3)
    sums = {"forward": 0.0, "reverse": 0.0, "jensen_shannon": 0.0}
    for row in range(len(ours)):
        q, p = (ours[row] / temperature).softmax(0).tolist(), (theirs[row] / temperature).softmax(0).tolist()
        middle = [0.3 * a + 0.7 * b for a, b in zip(p, q, strict=True)]
        sums["forward"] += kl(p, q)
        sums["reverse"] += kl(q, p)
        sums["jensen_shannon"] += 0.3 * kl(p, middle) + 0.7 * kl(q, middle)
    for name, divergence in distil.DIVERGENCES.items():
        expected = sums[name] / len(ours) * temperature**2
        assert float(divergence(ours, theirs, options)) == pytest.approx(expected, rel=1e-4), name
        assert float(divergence(theirs, theirs, options)) == pytest.approx(0, abs=1e-6)


def test_a_bucket_for_the_rest_is_the_whole_where_all_are_stored_and_less_where_not() -> None:
    ours, theirs = pair()
    exact = float(distil.forward(ours, theirs, distil.Options(pace=PACE)))
    for k, is_exact in ((9, True), (4, False), (1, False)):
        top = theirs.log_softmax(-1).topk(k)
        found = float(distil.bucketed(ours, Likeliest(top.indices, top.values), 1.0))
        assert found == pytest.approx(exact, rel=1e-4) if is_exact else 0 < found < exact


def test_a_student_comes_to_think_like_its_teacher() -> None:
    teacher, student = decoder(seed=1), fresh(SMALL, seed=2)
    found = material(teacher)
    before = likeness(student, found.calibration, teacher)
    stepped = distil.apply(student, distil.Options(pace=PACE), found)
    after = likeness(student, found.calibration, teacher)
    assert stepped.steps == 40 and stepped.curve[-1][1] < stepped.curve[0][1]
    assert after.kl is not None and before.kl is not None and after.kl < 0.3 * before.kl
    assert after.same_top is not None and after.same_top > 0.9


def test_likeness_is_the_plain_formula() -> None:
    teacher, student = decoder(seed=1), decoder(seed=2)
    [batch, *_] = material().calibration
    found = likeness(student, [batch], teacher)
    ours, theirs = logits(student, batch), logits(teacher, batch)
    losses, kls, same = [], [], 0
    for row in range(batch.ids.shape[0]):
        for at in range(batch.ids.shape[1]):
            q, p = ours[row, at].softmax(0), theirs[row, at].softmax(0)
            losses.append(-float(q[batch.targets[row, at]].log()))
            kls.append(float((p * (p.log() - q.log())).sum()))
            same += int(q.argmax() == p.argmax())
    assert found.num_tokens == len(losses) == batch.ids.numel()
    assert found.loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert found.kl == pytest.approx(sum(kls) / len(kls), rel=1e-3)
    assert found.same_top == same / len(losses)


def test_without_a_teacher_or_with_one_of_other_words_it_is_refused() -> None:
    options = distil.Options(pace=PACE)
    with pytest.raises(OperatorFault, match="needs a teacher"):
        distil.apply(decoder(), options, material())
    other = decoder(shape=msgspec.structs.replace(SHAPE, vocab_size=VOCABULARY + 1))
    with pytest.raises(OperatorFault, match="51 tokens and the student 50"):
        distil.apply(decoder(), options, material(other))


def test_stored_logits_teach_what_the_live_teacher_does(tmp_path: Path) -> None:
    teacher = decoder(seed=1)
    found = msgspec.structs.replace(material(teacher), stores=tmp_path)
    students, options = {}, {}
    options["live"] = distil.Options(pace=PACE)
    options["stored"] = distil.Options(pace=PACE, logits="stored", k=24)
    for name, chosen in options.items():
        students[name] = fresh(SMALL, seed=2)
        report = distil.apply(students[name], chosen, found)
    assert isinstance(report, distil.Taught) and report.course.steps == PACE.steps
    rows = {row for n in range(PACE.steps) for row, _ in rows_of(found.training.batch(n))}
    num = len(rows) * found.training.batch(0).ids.shape[1]  # a window that comes twice is asked once
    assert (report.stored.bytes_per_token, report.stored.num_places, report.stored.num_asked) == (
        96,
        num,
        num,
    )
    live, stored = (likeness(students[name], found.calibration, teacher) for name in ("live", "stored"))
    assert stored.loss == pytest.approx(live.loss, rel=0.01)
    longer = msgspec.structs.replace(PACE, steps=PACE.steps + 2)
    again = distil.apply(fresh(SMALL, seed=3), distil.Options(pace=longer, logits="stored", k=24), found)
    assert isinstance(again, distil.Taught)
    assert 0 < again.stored.num_asked <= 2 * int(found.training.batch(0).learned.sum()), "only what is new"


def test_what_a_store_says_is_the_teachers_likeliest_in_whatever_batch(tmp_path: Path) -> None:
    teacher, chance = decoder(seed=1), torch.Generator().manual_seed(3)
    samples = [
        Encoded(torch.randint(50, (2 + n % 3,), generator=chance).tolist(), [n % 50] * (1 + n % 4))
        for n in range(10)
    ]
    [batch, other] = [Batch(*collate(some)) for some in (samples, samples[7:2:-1])]
    wanted = Wanted(k=4, temperature=2.0)
    store = write_store(tmp_path / "store", Live(teacher), [batch], wanted)
    said = store.says(99, other)
    expected = (Live(teacher).says(1, other) / 2.0).log_softmax(-1).topk(4)
    assert torch.equal(said.ids, expected.indices)
    torch.testing.assert_close(said.logprobs, expected.values, rtol=2e-3, atol=2e-3)
    [stranger] = [Batch(*collate([Encoded([1, 2], [3])]))]
    with pytest.raises(OperatorFault, match="other data"):
        store.says(0, stranger)


def distinct(num: int) -> list[Batch]:
    """Batches of eight rows, none twice."""
    rows = torch.randint(50, (num, 8, 25), generator=torch.Generator().manual_seed(4))
    return [Batch(both[:, :-1].contiguous(), both[:, 1:].contiguous()) for both in rows]


class Counting:
    """A teacher that counts the rows it was asked, and leaves after some."""

    def __init__(self, teacher: Llama, limit: int = 1_000) -> None:
        self._live, self.num, self._limit = Live(teacher), 0, limit

    def says(self, number: int, batch: Batch) -> torch.Tensor:
        if self.num >= self._limit:
            raise KeyboardInterrupt
        self.num += len(batch.ids)
        return self._live.says(number, batch)


def test_a_store_goes_on_where_it_was_and_mends_what_was_damaged(tmp_path: Path) -> None:
    teacher, path, wanted = decoder(seed=1), tmp_path / "store", Wanted(k=4, save_every_s=0.0)
    batches = distinct(6)
    with pytest.raises(KeyboardInterrupt):
        write_store(path, Counting(teacher, limit=24), batches, wanted)
    rest = Counting(teacher)
    store = write_store(path, rest, batches, wanted)
    assert rest.num == 24 and len(store.index.parts) == 6
    nothing = Counting(teacher)
    assert write_store(path, nothing, batches, wanted).sha256 == store.sha256 and nothing.num == 0
    said = [store.says(0, batch).ids for batch in batches]
    parts = sorted(path.glob("part-*"))
    parts[2].write_bytes(parts[2].read_bytes()[:-1] + b"x")
    with pytest.raises(
        OperatorFault, match=r"can't be read: part-00002\.safetensors is not what was written"
    ):
        Store(path)
    again = Counting(teacher)
    mended = write_store(path, again, batches, wanted)
    assert again.num == 8
    for batch, before in zip(batches, said, strict=True):
        assert torch.equal(mended.says(0, batch).ids, before)
    another = Counting(teacher)
    write_store(path, another, batches, Wanted(k=5))
    assert another.num == 48, "what was stored otherwise is no use"


def test_a_disk_that_is_full_costs_the_last_part_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, batches, wanted = decoder(seed=1), distinct(3), Wanted(k=4, save_every_s=0.0)
    save_file, num = logit_store.save_file, []

    def filling(*given: Any, **named: Any) -> None:
        num.append(1)
        if len(num) == 3:
            raise OSError(28, "No space left on device")
        save_file(*given, **named)

    monkeypatch.setattr(logit_store, "save_file", filling)
    with pytest.raises(OperatorFault, match=r"can't be stored in .*No space left"):
        write_store(tmp_path / "store", Live(teacher), batches, wanted)
    rest = Counting(teacher)
    write_store(tmp_path / "store", rest, batches, wanted)
    assert rest.num == 8


def test_adapters_begin_as_nothing_learn_alone_and_merge_exactly() -> None:
    model = decoder(seed=3)
    [batch, *_] = material().calibration
    before = logits(model, batch)
    frozen = {name: p.detach().clone() for name, p in model.named_parameters()}
    lora.attach(model, lora.Options(pace=PACE, rank=4), seed=0)
    assert torch.equal(logits(model, batch), before)
    train(model, material().training, hard_loss, PACE)
    assert all(torch.equal(frozen[name], p) for name, p in model.named_parameters() if name in frozen)
    adapted = logits(model, batch)
    assert not torch.allclose(adapted, before)
    model.settle()
    torch.testing.assert_close(logits(model, batch), adapted, rtol=1e-4, atol=1e-4)


def test_a_few_weights_learn_what_matters() -> None:
    model, whole = decoder(seed=3), decoder(seed=3)
    start = likeness(model, material().calibration).loss
    report = lora.apply(model, lora.Options(pace=Pace(steps=60, rate=1e-2), rank=2), material())
    assert report.num_trained < 0.2 * report.num_parameters
    train(whole, material().training, hard_loss, Pace(steps=60, rate=3e-3))
    found, best = (likeness(each, material().calibration).loss for each in (model, whole))
    assert start - found > 0.5 * (start - best) > 0
    with pytest.raises(OperatorFault, match="embed"):
        lora.attach(model, lora.Options(pace=PACE, matrices=("embed",)), seed=0)


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    source, seen = material().training, []

    class Interrupted(Exception):
        pass

    class Counted:
        def batch(self, number: int) -> Batch:
            seen.append(number)
            if len(seen) == 13:
                raise Interrupted
            return source.batch(number)

    pace = Pace(steps=20, rate=1e-3, save_every_s=0.0)
    model = decoder(seed=3)
    with pytest.raises(Interrupted):
        train(copy.deepcopy(model), Counted(), hard_loss, pace, folder=tmp_path)
    stepped = train(copy.deepcopy(model), Counted(), hard_loss, pace, folder=tmp_path)
    assert seen == [*range(13), *range(12, 20)] and stepped.steps == 20
    assert stepped.num_tokens == 20 * source.batch(0).ids.numel()


def test_the_rate_rises_and_falls() -> None:
    pace = Pace(steps=100, rate=1.0, warm_up=10, least_rate=0.1)
    rates = [pace.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0.1 <= rates[-1] < 0.102
