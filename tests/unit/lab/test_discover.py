import json
import random
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.unit.lab.logged import intents, line_of, poisoned, samples_of, slots, small_talk
from wicket.lab.discover import Task, discover
from wicket.lab.discover_command import Embedder, measured
from wicket.lab.discovery_text import page
from wicket.lab.examples import Sample
from wicket.lab.learnable import Answers, Measured, judge, saving
from wicket.lab.topics import find_topics, sampled


def billed(rows: list[tuple[str, str]], cost_usd: float = 0.001) -> list[Sample]:
    """Samples with their records' figures, ten minutes apart, from one route."""
    return [
        msgspec.structs.replace(
            sample,
            at_ms=1_700_000_000_000 + 600_000 * place,
            model="front",
            deployment="openai/gpt-4o",
            task="front",
            cost_usd=cost_usd,
            input_tokens=50,
            output_tokens=10,
        )
        for place, sample in enumerate(samples_of(rows))
    ]


def mixed() -> list[tuple[str, str]]:
    rows = slots() + intents() + small_talk(600)
    return random.Random(2).sample(rows, len(rows))


def test_two_tasks_and_small_talk_are_told_apart_with_their_cost() -> None:
    found = discover("front", billed(mixed()))
    assert [(group.answers.kind, group.requests) for group in found.groups] == [
        ("label", 1200),
        ("json", 900),
        ("text", 600),
    ]
    labels, objects, talk = found.groups
    assert labels.verdict.code == "learnable" and "20 labels" in labels.verdict.text
    assert objects.verdict.code == "too_few" and "900 of ~1000" in objects.verdict.text
    assert talk.verdict.code == "unlikely" and talk.saving.share == 0
    assert labels.cost_usd == pytest.approx(1.2) and labels.input_tokens == 60_000
    assert labels.saving.usd == pytest.approx(0.6 * 1.2) and "assuming" in labels.saving.basis
    days = 2699 * 600 / 86_400
    assert found.days == pytest.approx(days)
    assert labels.saving.usd_per_month == pytest.approx(0.72 / days * 30)
    assert labels.answers.entropy_bits == pytest.approx(np.log2(20), abs=0.01)
    assert sum(group.share for group in found.groups) == pytest.approx(1)
    shuffled = random.Random(1).sample(billed(mixed()), 2700)
    assert discover("front", shuffled) == found


def test_what_a_trained_run_takes_replaces_the_assumption(tmp_path: Path) -> None:
    folder = tmp_path / "minis" / "front"
    for run, share in (("r1", 0.5), ("r2", 0.7), ("broken", 0)):
        (folder / run).mkdir(parents=True)
        report = {"scores": {"test": {"share": share, "precision": 0.97}}, "task": "front"}
        (folder / run / "report.json").write_text("{" if run == "broken" else json.dumps(report))
    assert measured(tmp_path, "front") == Measured("r2", 0.7, 0.97)
    (folder / "current").write_text("r1\n")
    assert measured(tmp_path, "front") == Measured("r1", 0.5, 0.97)
    assert measured(tmp_path, "other") is None and measured(tmp_path, "../minis/front") is None
    found = discover("front", billed(mixed()), measured=measured(tmp_path, "front"))
    assert found.groups[0].saving.usd == pytest.approx(0.5 * 1.2)
    assert "run r1 takes 50% of its test requests at 97% precision" in found.groups[0].saving.basis
    assert found.groups[2].saving.share == 0


def test_without_records_cost_is_unknown_and_a_few_records_stand_for_all() -> None:
    found = discover("front", samples_of(intents()))
    assert found.groups[0].cost_usd is None and found.groups[0].saving.usd is None
    assert found.groups[0].saving.share == 0.6 and "could save 60% of the cost" in page([found], [])
    some = billed(intents())[:300] + samples_of(intents())[300:]
    assert discover("front", some).groups[0].cost_usd == pytest.approx(1.2)


def answers(kind: str, **more: Any) -> Answers:
    usual: dict[str, Any] = {"distinct": 20, "entropy_bits": 4.0, "valid": 1.0, "repeats_agree": None}
    return Answers(kind=kind, **(usual | more))


@pytest.mark.parametrize(
    ("regular", "requests", "code"),
    [
        (answers("label", labels=("a", "b")), 500, "learnable"),
        (answers("label", labels=("a", "b")), 499, "too_few"),
        (answers("label", labels=tuple("abcdefghijklmnopqrstuvwxyz" * 2)), 600, "too_few"),
        (answers("label", labels=("yes",)), 5000, "constant"),
        (answers("label", labels=("a", "b"), valid=0.7), 5000, "irregular"),
        (answers("label", labels=("a", "b"), repeats_agree=0.5), 5000, "irregular"),
        (answers("json", keys=("a",)), 1000, "learnable"),
        (answers("json", keys=("a",)), 80, "too_few"),
        (answers("text", median_characters=400, distinct=900), 1000, "unlikely"),
        (answers("text", median_characters=20, distinct=300), 1000, "uncertain"),
        (answers("text", median_characters=20, distinct=999), 1000, "unlikely"),
    ],
)
def test_verdicts(regular: Answers, requests: int, code: str) -> None:
    found = judge(regular, requests)
    assert found.code == code and found.text
    assert saving(found, 1.0, 0.5, None).usd_per_month is None  # half a day says nothing of a month
    assert (saving(found, 1.0, 10, None).usd == 0) == (code in ("unlikely", "irregular"))


def test_answers_that_change_for_the_same_request_are_irregular() -> None:
    draw = random.Random(3)
    labels = sorted({label for _, label in intents()})
    rows = intents() + [(text, draw.choice(labels)) for text, _ in intents()]
    group = discover("front", samples_of(rows)).groups[0]
    assert group.verdict.code == "irregular" and (group.answers.repeats_agree or 1) < 0.1


def test_one_poisoned_answer_in_ten_shows_as_broken_and_hides_nothing() -> None:
    group = discover("front", samples_of(poisoned(slots(), "hacked")[0])).groups[0]
    assert group.answers.kind == "json" and 0.88 <= group.answers.valid <= 0.92


def test_the_lines_to_paste_are_a_configuration() -> None:
    rows = billed(intents())
    odd = 'a "b".c]\\'
    found = discover("front", [msgspec.structs.replace(sample, model=odd) for sample in rows])
    assert found.command == "wicket mini train front"
    assert tomllib.loads(found.toml)["models"][odd] == {
        "deployments": ["mini:front", "openai/gpt-4o"],
        "policy": "cascade",
        "quality": 0.95,
        "collect": "front",
    }


def test_the_page_steers_no_terminal() -> None:
    rows = [(text, label) for text, label in intents()]
    samples = samples_of(rows, "Name the \x1b[31mintent\x07.")
    shown = page([discover("front", samples)], ["a \x1b note"])
    assert "\x1b" not in shown and "\x07" not in shown and "intent" in shown


def heap(draw: np.random.Generator, centre: int, number: int) -> Any:
    vectors = draw.normal(0, 0.12, (number, 32)).astype(np.float32)
    vectors[:, centre] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_topics_are_heaps_of_vectors_in_every_order() -> None:
    draw = np.random.default_rng(1)
    texts = [f"tides and harbour {n}" for n in range(90)] + [f"bread with butter {n}" for n in range(60)]
    vectors = np.concatenate([heap(draw, 0, 90), heap(draw, 5, 60)])
    found = find_topics(texts, vectors)
    assert [topic.places for topic in found] == [tuple(range(90)), tuple(range(90, 150))]
    assert set(found[0].words) >= {"tides", "harbour"} and "bread" in found[1].words
    order = draw.permutation(150)
    again = find_topics([texts[place] for place in order], vectors[order])
    assert [sorted(order[list(topic.places)].tolist()) for topic in again] == [
        list(topic.places) for topic in found
    ]
    assert len(find_topics(texts[:90], vectors[:90])) == 1
    assert len(find_topics(texts[:5], vectors[:5])) == 1


def test_only_so_many_texts_are_embedded_and_the_figures_are_scaled() -> None:
    rows = [(f"tides {n} of the harbour", f"answer number {n} on the tides" * 3) for n in range(3000)]
    rows += [(f"bread {n} with butter", f"answer number {n} on bread" * 3) for n in range(1000)]
    assert sampled([text for text, _ in rows], 50) == sampled([text for text, _ in rows], 50)
    asked = []

    def embed(texts: Any) -> Any:
        asked.append(len(texts))
        draw = np.random.default_rng(2)
        return np.concatenate([heap(draw, 0 if text.startswith("tides") else 5, 1) for text in texts])

    found = discover("front", billed(rows), embed)
    assert asked == [2000] and len(found.groups) == 2
    assert all(group.is_estimated and group.topic for group in found.groups)
    assert 2800 <= found.groups[0].requests <= 3200 and found.groups[0].cost_usd == pytest.approx(3, rel=0.07)


@pytest.mark.model
def test_free_texts_are_told_apart_by_their_meaning() -> None:
    from wicket.engines.checkpoints.locate import find
    from wicket.engines.minilm import load

    draw = random.Random(4)
    banking = [text for text, label in intents() if label in ("transactions", "routing", "card_declined")]
    tables = [text for text, _ in slots() if len(text.split()) > 5]
    texts = [*banking[:100], *tables[:100]]
    rows = [
        (text, f"{' '.join(draw.sample(text.split() * 8, 12))} and so on, {n}")
        for n, text in enumerate(texts)
    ]
    embedder = Embedder(load(find("all-minilm-l6-v2", Path()).path, threads=1, cache_dir=None))
    found = discover("front", samples_of(rows), embedder)
    is_banking = {sample.text: place < 100 for place, sample in enumerate(samples_of(rows))}
    assert len(is_banking) == 200
    topics = find_topics(texts, embedder(texts))
    sides = [[place < 100 for place in topic.places] for topic in topics]
    pure = sum(max(sum(side), len(side) - sum(side)) for side in sides)
    assert len(found.groups) == len(topics) >= 2 and pure >= 190


def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "wicket.lab", "discover", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def test_the_command_reads_a_file_or_a_pipe_and_prints_one_document(tmp_path: Path) -> None:
    lines = [line_of(sample) for sample in samples_of(intents())]
    lines[3] = "{"
    talk = [{"role": role, "content": "a"} for role in ("user", "assistant", "user", "assistant")]
    lines.append(json.dumps({"messages": talk}))
    data = "\n".join(lines).encode()
    (tmp_path / "log.jsonl").write_bytes(data)
    from_file = run("--from", str(tmp_path / "log.jsonl"), "--no-topics", "--json")
    from_pipe = run("--from", "-", "--no-topics", "--json", stdin=data)
    assert from_file.returncode == from_pipe.returncode == 0 and from_file.stdout == from_pipe.stdout
    page = json.loads(from_file.stdout)
    assert page["object"] == "discovery" and page["broken_lines"] == 1 and page["other_form"] == 1
    assert page["tasks"][0]["task"] == "unnamed" and page["tasks"][0]["groups"][0]["requests"] == 1199
    assert any("line 4" in note for note in page["notes"])
    shown = run("--from", "-", "--no-topics", stdin=data)
    assert b"label task with 20 labels: learnable" in shown.stdout and b"wicket mini train" in shown.stdout
    refused = run("--from", "-", "--no-topics", "--refuse-broken", stdin=data)
    assert refused.returncode == 1 and b"standard input, line 4" in refused.stderr and not refused.stdout


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\xff\xfe\x00\n"])
def test_nothing_to_look_at_is_said(data: bytes) -> None:
    done = run("--from", "-", stdin=data)
    assert done.returncode == 1 and done.stderr.startswith(b"wicket: ") and not done.stdout


def test_a_file_that_is_not_there_is_one_line() -> None:
    done = run("--from", "nowhere.jsonl")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"can't be read" in done.stderr


def test_the_type_of_a_task_is_a_value() -> None:
    found = discover("front", billed(mixed()))
    assert msgspec.convert(msgspec.to_builtins(found), Task) == found
