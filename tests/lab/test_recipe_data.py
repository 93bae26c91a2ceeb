"""A recipe's data: broken lines, what judges found in training, calibration, lengths; vocabularies."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402
from tests.lab.tiny_decoder import SHAPE, decoder  # noqa: E402

from wicket.engines.checkpoints.opening import tokenizer  # noqa: E402
from wicket.errors import CallerFault, EngineFault, OperatorFault  # noqa: E402
from wicket.lab import recipe_report  # noqa: E402
from wicket.lab.export_folder import export_folder  # noqa: E402
from wicket.lab.material import Batch  # noqa: E402
from wicket.lab.recipe_data import Batches, Reading, Texts, batches_of, read_data  # noqa: E402
from wicket.lab.recipe_form import Data, DataSource  # noqa: E402
from wicket.lab.vocabulary import copy_vocabulary, train_vocabulary, vocabulary_hash  # noqa: E402

LINES = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pairs = tiny_task.requests(LINES + 10, seed=1)
    tiny_task.write_log(tmp_path / "train.jsonl", pairs[:LINES])
    tiny_task.write_log(tmp_path / "test.jsonl", pairs[LINES:])
    return tmp_path


def data(**changes: Any) -> Data:
    return Data(**({"train": "train.jsonl", "evaluate": "test.jsonl", "rows": 4} | changes))


def batches(made: Data, texts: Texts, folder: Path) -> Batches:
    path = folder / "vocabulary.gguf"
    train_vocabulary(path, texts.spoken(), 300)
    return batches_of(made, texts, tokenizer(path), seed=0, num_evaluation=2)


def test_a_broken_line_is_told_by_its_number_and_refused_or_skipped(folder: Path) -> None:
    lines = (folder / "train.jsonl").read_text().splitlines()
    lines[6] = lines[6][:-4]
    (folder / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(CallerFault, match=r"train\.jsonl, line 7: "):
        read_data(data(), folder)
    facts = read_data(data(broken="skip"), folder).manifest.files["train"]
    assert (facts.lines, facts.num_broken) == (LINES, 1) and facts.broken[0].startswith("line 7: ")


def test_what_judges_is_not_learned_or_the_report_says_so(folder: Path) -> None:
    leak = (folder / "test.jsonl").read_text().splitlines()[:3]
    with (folder / "train.jsonl").open("a") as file:
        file.write("\n".join(line.replace("buy", "BUY  ") for line in leak) + "\n")
    removed = read_data(data(), folder).manifest
    assert (removed.num_train, removed.num_removed, removed.num_left) == (LINES, 3, 0)
    kept = read_data(data(overlap="keep"), folder).manifest
    assert (kept.num_train, kept.num_removed, kept.num_left) == (LINES + 3, 0, 3)


def test_files_are_hashed_and_may_be_packed(folder: Path) -> None:
    whole = read_data(data(), folder)
    with gzip.open(folder / "train.jsonl.gz", "wb") as file:
        file.write((folder / "train.jsonl").read_bytes())
    packed = read_data(data(train="train.jsonl.gz"), folder)
    assert packed.manifest.files["train"].sha256 == whole.manifest.files["train"].sha256
    (folder / "train.jsonl.gz").write_bytes((folder / "train.jsonl.gz").read_bytes()[:-9])
    for name in ("train.jsonl.gz", "nowhere.jsonl"):
        with pytest.raises(OperatorFault, match="can't be read"):
            read_data(data(train=name), folder)
    (folder / "empty.jsonl").write_text("")
    with pytest.raises(CallerFault, match=r"empty.jsonl has no request"):
        read_data(data(train="empty.jsonl"), folder)


def test_answers_alone_or_everything_is_learned_and_only_answers_judge(folder: Path) -> None:
    texts = read_data(data(), folder)
    num = {}
    for learn in ("answers", "all"):
        found = batches(data(learn=learn), texts, folder)
        batch: Batch = found.training.batch(0)
        num[learn] = int(batch.learned.sum())
        assert int(found.evaluation[0].learned.sum()) < 0.6 * found.evaluation[0].ids.numel()
    assert num["answers"] < 0.7 * num["all"]
    with pytest.raises(CallerFault, match="raise it"):
        batches(data(length=2), texts, folder)


def test_calibration_comes_from_its_own_file_if_there_is_one(folder: Path) -> None:
    tiny_task.write_log(folder / "calm.jsonl", tiny_task.requests(1, seed=9))
    found = batches(data(calibration="calm.jsonl"), read_data(data(calibration="calm.jsonl"), folder), folder)
    assert all(len({tuple(row) for row in batch.ids.tolist()}) == 1 for batch in found.calibration)


def test_plain_text_in_windows_without_the_lines_that_judge(tmp_path: Path) -> None:
    lines = [f"{number}: {text}" for number, (text, _) in enumerate(tiny_task.requests(90, seed=2))]
    lines = [f"{line} {line} {line}" for line in lines]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    (tmp_path / "test.txt").write_text("\n".join([*lines[:4], *(f"And {line}" for line in lines[50:])]))
    made = data(train="train.txt", evaluate="test.txt", form="text", length=32)
    texts = read_data(made, tmp_path)
    assert texts.manifest.num_removed == 4 and lines[0] not in texts.train_text
    found = batches(made, texts, tmp_path)
    assert found.training.batch(0).ids.shape == (4, 32) and not found.asked
    (tmp_path / "train.txt").write_bytes(b"fine\n\xff\xfe\nfine\n")
    with pytest.raises(CallerFault, match=r"train.txt, line 2: "):
        read_data(made, tmp_path)
    skipped = data(train="train.txt", evaluate="test.txt", form="text", broken="skip")
    facts = read_data(skipped, tmp_path).manifest.files["train"]
    assert facts.num_broken == 1 and facts.lines == 3


def test_a_trained_vocabulary_spells_everything_and_travels_by_folder(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.gguf"
    train_vocabulary(path, ["the cat sat on the mat"] * 9, 280)
    words = tokenizer(path)
    for text in ("the cat", "naïve 日本 🦆\n\t", "<|im_end|>"):
        assert words.decode(words.encode(text, special=False)) == text
    assert words.encode("<|im_end|>") == [2] and 260 < words.vocab_size <= 280
    export_folder(small_model(words.vocab_size), words, tmp_path / "hf", template="x")
    copy_vocabulary(tmp_path / "again.gguf", tmp_path / "hf")
    again = tokenizer(tmp_path / "again.gguf")
    assert again.encode("the cat sat 12") == words.encode("the cat sat 12")
    assert again.special_tokens == words.special_tokens and again.eos_ids[0] == words.eos_ids[0]
    assert vocabulary_hash(tmp_path / "again.gguf") == vocabulary_hash(path)
    with pytest.raises(EngineFault, match="at least 260"):
        train_vocabulary(path, ["x"], 100)


def small_model(vocabulary: int) -> Any:
    return decoder(shape=msgspec.structs.replace(SHAPE, vocab_size=vocabulary))


def test_training_files_are_curated_and_the_report_says_what_each_step_took(folder: Path) -> None:
    lines = (folder / "train.jsonl").read_text().splitlines()
    secret = tiny_task.write_log(folder / "secret.jsonl", [("mail ann@example.com now", '{"do": "greet"}')])
    refusal = tiny_task.write_log(
        folder / "refusal.jsonl", [("ba be bi bo", "I'm sorry, but I can't help with that.")]
    )
    leak = (folder / "test.jsonl").read_text().splitlines()[0].replace("do", "DO")
    more = [*lines, *lines[:2], secret.read_text().strip(), refusal.read_text().strip(), leak]
    (folder / "train.jsonl").write_text("\n".join(more) + "\n")
    steps: list[Any] = [
        "exact_duplicates",
        "refusals",
        {"name": "pii"},
        {"name": "decontaminate", "near": 1.0},
    ]
    kept = folder / "kept"
    reading = Reading(kept=kept)
    texts = read_data(data(steps=steps), folder, reading)
    curation = texts.manifest.curation
    assert curation is not None and not curation.tasks
    taken = {step.name: (step.num_removed, step.num_changed) for step in curation.manifest.steps}
    assert taken == {"exact_duplicates": (2, 0), "refusals": (1, 0), "pii": (0, 1), "decontaminate": (1, 0)}
    assert texts.manifest.num_train == LINES + 1 and texts.manifest.num_removed == 0
    assert "ann@example.com" not in "".join(sample.text for sample in texts.train)
    assert texts.manifest.files["train"].lines == LINES + 5
    done = {path: path.stat().st_mtime_ns for path in kept.rglob("shard.jsonl")}
    assert read_data(data(steps=steps), folder, reading).train == texts.train
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("shard.jsonl")} == done, "done once"
    shown = str(recipe_report.curation_parts(msgspec.to_builtins(curation)))
    assert "same_words" in shown and "Removed by decontaminate" in shown


def test_several_files_become_one_mixture(folder: Path) -> None:
    tiny_task.write_log(folder / "more.jsonl", tiny_task.requests(10, seed=7))
    sources = (DataSource(file="train.jsonl", name="large"), DataSource(file="more.jsonl", name="small"))
    for temperature, small in ((1.0, 10), (1000.0, 25)):
        mixed = data(train="", sources=sources, temperature=temperature)
        manifest = read_data(mixed, folder).manifest
        assert manifest.curation is not None
        tasks = manifest.curation.tasks
        assert (tasks["large"].drawn, tasks["small"].drawn) == (50 - small, small)
        assert set(manifest.files) == {"train: large", "train: small", "evaluate"}
    weighted = tuple(
        msgspec.structs.replace(source, weight=weight)
        for source, weight in zip(sources, (3.0, 1.0), strict=True)
    )
    found = read_data(data(train="", sources=weighted, total=20), folder)
    assert found.manifest.num_train == 20 and found.manifest.curation is not None
    assert found.manifest.curation.tasks["small"].drawn == 5
    again = read_data(data(train="", sources=weighted, total=20), folder)
    other = read_data(data(train="", sources=weighted, total=20), folder, Reading(seed=9))
    assert again.train == found.train != other.train
    nameless = (DataSource(file="train.jsonl"), DataSource(file="more.jsonl"))
    tiny_task.write_log(folder / "more.jsonl", [("x", "")])
    with pytest.raises(CallerFault, match=r"more\.jsonl: no step may take out all"):
        read_data(data(train="", sources=nameless, steps=["length"]), folder)


def test_a_broken_line_of_a_mixture_is_told_with_its_file(folder: Path) -> None:
    (folder / "more.jsonl").write_text('{"messages": [\n')
    sources = (DataSource(file="train.jsonl"), DataSource(file="more.jsonl"))
    with pytest.raises(CallerFault, match=r"more\.jsonl:1: "):
        read_data(data(train="", sources=sources), folder)


def test_plain_text_is_curated_too(tmp_path: Path) -> None:
    texts = [text for text, _ in tiny_task.requests(60, seed=2)]
    (tmp_path / "train.txt").write_text("\n\n".join([*texts[:40], *texts[:5]]))
    (tmp_path / "test.txt").write_text("\n".join(texts[40:]))
    made = data(train="train.txt", evaluate="test.txt", form="text", steps=["exact_duplicates"])
    found = read_data(made, tmp_path)
    assert found.train_text == "\n\n".join(texts[:40]) and found.manifest.curation is not None
