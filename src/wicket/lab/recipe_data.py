"""A recipe's data: read, freed of what judges, cut into batches; with a manifest of what was read."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data import manifest as curated
from wicket.lab.data.document import to_bytes
from wicket.lab.data.mixture import Task
from wicket.lab.data.sources import Form
from wicket.lab.encode import Encoded, Encoder, collate
from wicket.lab.examples import Sample, read
from wicket.lab.material import Batch, Samples, Source, Windows, consecutive
from wicket.lab.recipe_curation import Curated, curate, is_wanted
from wicket.lab.recipe_form import Data

MAX_BYTES = 1 << 30  # of one file, unpacked
PASSAGE = 200  # characters of a text that stand for its neighbourhood when two texts are compared


class FileFacts(msgspec.Struct, frozen=True):
    """One file as it was read. `num_broken` lines could not be; `broken` says why, of the first."""

    name: str
    bytes: int
    sha256: str
    lines: int = 0
    num_other_form: int = 0
    num_broken: int = 0
    broken: tuple[str, ...] = ()


class Curation(msgspec.Struct, frozen=True):
    """What steps did with the training files, and the mixture that they became."""

    manifest: curated.Manifest
    tasks: dict[str, Task]
    num_other_form: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """What a run learns from and is judged by. `num_removed` of training stood in the evaluation data, and
    `num_left` still do."""

    files: dict[str, FileFacts]
    num_train: int
    num_evaluate: int
    num_removed: int
    num_left: int
    curation: Curation | None = None


class Texts(msgspec.Struct, frozen=True):
    """The data as read: samples of a chat recipe, or one text per part."""

    manifest: Manifest
    train: Sequence[Sample] = ()
    evaluate: Sequence[Sample] = ()
    calibration: Sequence[Sample] = ()
    train_text: str = ""
    evaluate_text: str = ""
    calibration_text: str = ""

    def spoken(self) -> list[str]:
        """All of training's texts, for a vocabulary."""
        if self.train_text:
            return self.train_text.splitlines(keepends=True)
        return [text for sample in self.train for text in (f"{sample.text}\n", sample.answer)]

    def tokens(self, tokenizer: Tokenizer) -> set[int]:
        """All that training's texts are cut into, prompts with what stands around them."""
        if self.train_text:
            return set(tokenizer.encode(self.train_text, special=False))
        encoder = Encoder(tokenizer)
        encoded = (encoder.sample(sample.text, sample.answer) for sample in self.train)
        return {token for each in encoded for token in (*each.prompt, *each.answer)}


class Batches(msgspec.Struct, frozen=True):
    """What a run works with. `asked` are the evaluation's prompts with the samples behind them (chat)."""

    training: Source
    calibration: list[Batch]
    evaluation: list[Batch]
    asked: list[tuple[Encoded, Sample]]
    num_too_long: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the training files are read: with `is_asked` a teacher answers them, and their own answers don't
    count; a mixture follows `seed`; finished steps of curation are kept below `kept`."""

    is_asked: bool = False
    seed: int = 0
    kept: Path | None = None


def read_data(data: Data, folder: Path, reading: Reading | None = None) -> Texts:
    """Read all files. Raises `CallerFault` for a broken line that is refused, `OperatorFault` for a file."""
    reading = reading or Reading()
    names = {"train": data.train, "evaluate": data.evaluate, "calibration": data.calibration}
    cleaned = None
    if is_wanted(data):
        form: Form = "text" if data.form == "text" else "prompts" if reading.is_asked else "chat"
        cleaned = curate(data, folder, form=form, seed=reading.seed, kept=reading.kept)
        names |= {"train": ""}
    raw = {part: read_bytes(folder / Path(name).expanduser()) for part, name in names.items() if name}
    if data.form == "text":
        return _texts(data, names, raw, cleaned)
    files, samples = dict[str, FileFacts](), {"calibration": list[Sample]()}
    curation = None
    if cleaned is not None:
        again = io.BytesIO(to_bytes(cleaned.documents))
        read_again = read(again, name="the curated data", on_broken="refuse", is_evaluation=reading.is_asked)
        samples["train"] = list(read_again.samples)
        curation = Curation(cleaned.manifest, cleaned.tasks, read_again.num_other_form)
        files |= _source_facts(data, cleaned.manifest)
    for part, content in raw.items():
        is_asked = part == "train" and reading.is_asked
        found = read(io.BytesIO(content), name=names[part], on_broken=data.broken, is_evaluation=is_asked)
        broken = tuple(f"line {each.line}: {each.reason}" for each in found.broken)
        files[part] = facts_for(
            names[part], content, found.num_lines, found.num_other_form, found.num_broken, broken
        )
        samples[part] = list(found.samples)
    judges = {bare(sample.text) for sample in samples["evaluate"]}
    clean = [sample for sample in samples["train"] if bare(sample.text) not in judges]
    num_twins = len(samples["train"]) - len(clean)
    is_removed = data.overlap == "remove"
    train = clean if is_removed else samples["train"]
    if not train or not samples["evaluate"]:
        empty = data.evaluate if train else data.train or "The mixture"
        raise CallerFault("no_data", f"{empty} has no request and answer that could be used.")
    manifest = Manifest(
        files,
        len(train),
        len(samples["evaluate"]),
        num_twins if is_removed else 0,
        0 if is_removed else num_twins,
        curation,
    )
    return Texts(manifest, train, samples["evaluate"], samples["calibration"])


def _source_facts(data: Data, manifest: curated.Manifest) -> dict[str, FileFacts]:
    """The training files of a curation; the hashes are of the files as they lie there."""
    found = {}
    for place, source in enumerate(manifest.sources):
        name = f"train: {data.sources[place].name or source.path}" if data.sources else "train"
        broken = tuple(f"line {each.line}: {each.reason}" for each in source.broken)
        found[name] = FileFacts(
            source.path, source.bytes, source.sha256, source.num_lines, 0, source.num_broken, broken
        )
    return found


def batches_of(data: Data, texts: Texts, tokenizer: Tokenizer, seed: int, num_evaluation: int) -> Batches:
    """The data as tokens. Raises `CallerFault` where nothing is short enough."""
    if data.form == "text":
        return _windows(data, texts, tokenizer, seed, num_evaluation)
    encoder = Encoder(tokenizer)
    train, num_long = _encoded(encoder, texts.train, data)
    calibration, _ = _encoded(encoder, texts.calibration, data)
    judged = [(encoder.sample(sample.text, sample.answer), sample) for sample in texts.evaluate]
    fitting = [pair for pair in judged if len(pair[0]) <= data.length]
    if not train or not fitting:
        raise CallerFault("too_long", f"No sample is within length = {data.length} tokens: raise it.")
    rows = min(data.rows, len(train))
    calm = Samples(calibration or train, rows=rows, seed=seed + 1)
    return Batches(
        training=Samples(train, rows=rows, seed=seed),
        calibration=[calm.batch(number) for number in range(data.calibration_batches)],
        evaluation=[
            Batch(*collate([pair[0] for pair in fitting[at : at + rows]]))
            for at in range(0, min(len(fitting), num_evaluation * rows), rows)
        ],
        asked=fitting,
        num_too_long=num_long + len(judged) - len(fitting),
    )


def _encoded(encoder: Encoder, samples: Sequence[Sample], data: Data) -> tuple[list[Encoded], int]:
    found = [encoder.sample(sample.text, sample.answer) for sample in samples]
    fitting = [sample for sample in found if len(sample) <= data.length]
    if data.learn == "all":  # everything after the first token is to be foretold
        fitting = [Encoded(each.prompt[:1], [*each.prompt[1:], *each.answer]) for each in fitting]
    return fitting, len(found) - len(fitting)


def _windows(data: Data, texts: Texts, tokenizer: Tokenizer, seed: int, num_evaluation: int) -> Batches:
    start = [tokenizer.bos_id] if tokenizer.adds_bos and tokenizer.bos_id is not None else []

    def tokens(text: str) -> torch.Tensor:
        return torch.tensor([*start, *tokenizer.encode(text, special=False)])

    train, judges = tokens(texts.train_text), tokens(texts.evaluate_text)
    if min(len(train), len(judges)) <= data.length + 1:
        message = f"The texts are shorter than a window of length = {data.length} tokens: lower it."
        raise CallerFault("too_short", message)
    calm = tokens(texts.calibration_text) if texts.calibration_text else train
    windows = Windows(calm, length=data.length, rows=data.rows, seed=seed + 1)
    return Batches(
        training=Windows(train, length=data.length, rows=data.rows, seed=seed),
        calibration=[windows.batch(number) for number in range(data.calibration_batches)],
        evaluation=consecutive(judges, length=data.length, rows=data.rows, limit=num_evaluation),
        asked=[],
    )


def _texts(data: Data, names: dict[str, str], raw: dict[str, bytes], cleaned: Curated | None) -> Texts:
    """Plain texts; broken UTF-8 is refused with the line it stands in, or that line is left out."""
    files, texts = dict[str, FileFacts](), {"calibration": ""}
    curation = None
    if cleaned is not None:
        texts["train"] = "\n\n".join(document.text for document in cleaned.documents)
        curation = Curation(cleaned.manifest, cleaned.tasks)
        files |= _source_facts(data, cleaned.manifest)
    for part, content in raw.items():
        lines, broken = [], []
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            try:
                lines.append(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                if data.broken == "refuse":
                    message = (
                        f"{names[part]}, line {number}: {error.reason}. Mend the line, or skip broken ones."
                    )
                    raise CallerFault("broken_line", message) from None
                broken.append(f"line {number}: {error.reason}")
        files[part] = facts_for(
            names[part], content, len(lines) + len(broken), 0, len(broken), tuple(broken[:20])
        )
        texts[part] = "".join(lines)
    passages = _passages(texts["evaluate"])
    kept, num_twins = _without(texts["train"], passages)
    is_removed = data.overlap == "remove"
    manifest = Manifest(
        files,
        len(kept if is_removed else texts["train"]),
        len(texts["evaluate"]),
        num_twins if is_removed else 0,
        0 if is_removed else num_twins,
        curation,
    )
    return Texts(
        manifest,
        train_text=kept if is_removed else texts["train"],
        evaluate_text=texts["evaluate"],
        calibration_text=texts["calibration"],
    )


def _passages(text: str) -> set[str]:
    """Whole paragraphs of a text that judges, and long lines of it."""
    return {bare(line) for line in text.split("\n") if len(line) >= PASSAGE // 4}


def _without(text: str, passages: set[str]) -> tuple[str, int]:
    lines = text.split("\n")
    kept = [line for line in lines if bare(line) not in passages]
    return "\n".join(kept), len(lines) - len(kept)


def bare(text: str) -> str:
    """A text but for case and blanks, to tell whether two are the same."""
    return " ".join(text.casefold().split())


def facts_for(
    name: str, content: bytes, lines: int, other: int, num_broken: int, broken: tuple[str, ...]
) -> FileFacts:
    """What is to be said of a file with this content."""
    return FileFacts(
        name, len(content), hashlib.sha256(content).hexdigest(), lines, other, num_broken, broken
    )


def read_bytes(path: Path) -> bytes:
    """A file, unpacked. Raises `OperatorFault` for one that can't be read or is too large."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OperatorFault("unreadable_file", f"{path} can't be read: {reason}.") from None
    if len(content) > MAX_BYTES:
        raise OperatorFault("unreadable_file", f"{path} is larger than {MAX_BYTES >> 20} MiB: split it.")
    return content


def facts_of(manifest: Manifest) -> dict[str, Any]:
    """Hashes by part, to see whether data changed between two parts of a run."""
    return {part: facts.sha256 for part, facts in manifest.files.items()}
