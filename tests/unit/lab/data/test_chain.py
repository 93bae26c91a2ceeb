"""Steps in a row: hashed, kept, not done twice, and the same wherever they run."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.lab.data.made import chat
from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data.chain import FOLDER, REMOVED, SHARD, run, transform
from wicket.lab.data.curation import DATA, MANIFEST, PAGE, Order, curate, read_plan
from wicket.lab.data.document import Document, from_bytes, sha256, to_bytes
from wicket.lab.data.folder import write_folder
from wicket.lab.data.manifest import Manifest, StepReport
from wicket.lab.data.step import Asked

SHARD_IN = [chat("one", "a", "a:1"), chat("one", "a", "a:2"), chat("two", "I can't help with that.", "a:3")]
STEPS = [Asked("exact_duplicates"), Asked("refusals")]


def manifest_of(shard: list[Document]) -> Manifest:
    return Manifest(sources=(), num_documents=len(shard), sha256=sha256(to_bytes(shard)))


def written(path: Path, documents: list[Document]) -> Path:
    path.write_bytes(to_bytes(documents))
    return path


def test_the_manifest_says_what_was_done() -> None:
    manifest, shard = run(STEPS, manifest_of(SHARD_IN), SHARD_IN)
    assert [document.origin for document in shard] == ["a:1"]
    assert manifest.num_documents == 1 and manifest.sha256 == sha256(to_bytes(shard))
    first, second = manifest.steps
    assert (first.num_before, first.num_removed, first.num_after, first.reasons) == (3, 1, 2, {"same": 1})
    assert second.reasons == {"refuses": 1} and second.shown[0].origin == "a:3"
    assert second.shown[0].text == "two I can't help with that."


def test_a_step_is_a_pure_function_of_manifest_and_shard() -> None:
    whole = run(STEPS, manifest_of(SHARD_IN), SHARD_IN)
    manifest, shard = manifest_of(SHARD_IN), SHARD_IN
    for asked in STEPS:  # as an engine would: each elsewhere, from bytes
        manifest, kept, _ = transform(asked, manifest, from_bytes(to_bytes(shard)))
        shard = list(kept)
    assert (manifest, shard) == (whole[0], list(whole[1]))


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []

    def tell(report: StepReport, was_done: bool) -> None:
        told.append((report.name, was_done))

    first = run(STEPS, manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path, tell=tell)
    again = run(STEPS, manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path, tell=tell)
    assert first == again and told == [
        ("exact_duplicates", False),
        ("refusals", False),
        ("exact_duplicates", True),
        ("refusals", True),
    ]
    run([STEPS[0], Asked("length")], manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path, tell=tell)
    assert told[4:] == [("exact_duplicates", True), ("length", False)]
    other = Asked("refusals", {"max_characters": 5})
    run([other], manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path, tell=tell)
    assert told[-1] == ("refusals", False)  # other options, other folder
    folder = next((tmp_path / FOLDER).glob("*-exact_duplicates"))
    removed = [json.loads(line) for line in (folder / REMOVED).read_text().splitlines()]
    assert removed[0]["reason"] == "same" and removed[0]["document"]["origin"] == "a:2"


def test_a_damaged_step_is_done_again(tmp_path: Path) -> None:
    run(STEPS, manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path)
    for path in (tmp_path / FOLDER).glob(f"*/{SHARD}"):
        path.write_bytes(path.read_bytes()[:-4])
    manifest, shard = run(STEPS, manifest_of(SHARD_IN), SHARD_IN, folder=tmp_path)
    assert [document.origin for document in shard] == ["a:1"] and manifest.num_documents == 1


def test_curation_leaves_data_manifest_and_page(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", [*SHARD_IN, chat("what is judged?", "x")])
    judge = written(tmp_path / "judge.jsonl", [chat("What is judged", "y")])
    order = Order(sources=(source,), against=(judge,), licence="MIT")
    manifest, kept = curate(order, tmp_path / "out")
    assert [step.name for step in manifest.steps][-1] == "decontaminate"
    assert from_bytes((tmp_path / "out" / DATA).read_bytes()) == list(kept)
    document = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert document["sources"][0]["licence"] == "MIT" and document["evaluation"][0]["num_documents"] == 1
    page = (tmp_path / "out" / PAGE).read_text()
    assert "judge.jsonl:1" in page and "1 of 4 documents are left" in page and "<script" not in page


def test_a_plan_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[steps]]\nname = "length"\nmax_answer = 3\n[[steps]]\nname = "pii"\n')
    assert read_plan(path) == (Asked("length", {"max_answer": 3}), Asked("pii"))
    for text, why in (
        ("steps = 3", "must be a list"),
        ("[[steps]]\nx = 1", r"steps\[0\] has no name"),
        ("[", "plan"),
    ):
        path.write_text(text)
        with pytest.raises(CallerFault, match=why):
            read_plan(path)


def test_a_mistake_in_the_last_step_costs_nothing(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", SHARD_IN)
    order = Order(sources=(source,), steps=(*STEPS, Asked("length", {"max_answer": "long"})))
    with pytest.raises(CallerFault, match="Step length: Expected `int`"):
        curate(order, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(CallerFault, match="--against"):
        curate(Order(sources=(source,), steps=(Asked("decontaminate"),)))
    (tmp_path / "empty.jsonl").write_text("{\n")
    with pytest.raises(CallerFault, match=r"empty.jsonl: no line could be used; .*empty.jsonl:1: "):
        curate(Order(sources=(tmp_path / "empty.jsonl",)))


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel refuses what goes beyond 4,096 bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_said_and_nothing_is_half_there(tmp_path: Path) -> None:
    shard = [chat("x" * 100, str(number), f"a:{number}") for number in range(100)]
    with pytest.raises(
        OperatorFault, match=r"can't be written: .*Make room, then run the same command again"
    ):
        run([Asked("length")], manifest_of(shard), shard, folder=tmp_path)
    assert not list((tmp_path / FOLDER).iterdir())
    with pytest.raises(OperatorFault, match="can't be written"):
        write_folder(Path("/proc/none/here"), {"a": b""})
