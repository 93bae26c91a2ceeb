"""Gets a model from the public hub: only files that are data, whole and verified, or nothing.

Weights are taken as GGUF (one file) or safetensors; pickles (`.bin`, `.pt`, `.pth`, `.ckpt`) never are.
Downloads land in HOME/models/.partial and go on where they stopped; the finished folder is moved to
HOME/models/OWNER/NAME in one step.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import OperatorFault

DEFAULT_ENDPOINT = "https://huggingface.co"
# Best answers per byte first, of the formats that the engine reads.
GGUF_PREFERENCE = ("Q8_0", "Q4_1", "Q4_0", "Q5_1", "Q5_0", "Q6_K", "Q5_K", "Q4_K", "F16", "BF16", "F32")
_SMALL_FILES = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "model.safetensors.index.json",
    "LICENSE",
}
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_READ_BYTES = 1024 * 1024

Progress = Callable[[str, int, int], None]


class HubFile(msgspec.Struct, frozen=True):
    """A file in a repository; `sha256` is known for large files only, `size` is 0 when unknown."""

    name: str
    size: int = 0
    sha256: str = ""


class PullOptions(msgspec.Struct, frozen=True):
    """How to pull: `file` names one GGUF file of several, `endpoint` "" is HF_ENDPOINT or the public hub."""

    revision: str = "main"
    endpoint: str = ""
    file: str = ""


DEFAULT_OPTIONS = PullOptions()


def choose(files: Sequence[HubFile], wanted: str = "") -> list[HubFile]:
    """The files to get. Raises `OperatorFault` if there are no weights that can be loaded safely."""
    safe = [each for each in files if _SAFE_NAME.fullmatch(each.name) and ".." not in each.name]
    gguf = [each for each in safe if each.name.endswith(".gguf")]
    if wanted:
        named = [each for each in gguf if each.name == wanted]
        if not named:
            raise _fault(f"There is no {wanted} in it; it has {_listed(gguf)}.")
        return named
    small = [each for each in safe if each.name in _SMALL_FILES]
    weights = [each for each in safe if each.name.endswith(".safetensors") and "/" not in each.name]
    if weights and any(each.name == "config.json" for each in small):
        return small + weights
    whole = [each for each in gguf if not _SPLIT.search(each.name)]
    if whole:
        return [min(whole, key=_rank)]
    if gguf:
        raise _fault("Its GGUF files are in several parts, which can't be loaded: choose another.")
    raise _fault(
        "It has no weights as .gguf or .safetensors; other formats are never loaded, because they run code."
    )


def _rank(file: HubFile) -> tuple[int, str]:
    name = file.name.upper()
    found = (
        at for at, form in enumerate(GGUF_PREFERENCE) if re.search(rf"[-._]{form}([-._]|_[SML]\b)", name)
    )
    return next(found, len(GGUF_PREFERENCE)), file.name


def _listed(files: Sequence[HubFile]) -> str:
    return ", ".join(each.name for each in files[:8]) or "no .gguf file"


def pull(
    repo: str,
    home: Path,
    options: PullOptions = DEFAULT_OPTIONS,
    progress: Progress = lambda name, done, total: None,
) -> Path:
    """Download a repository's model and return its folder; it is then known as `repo` to `checkpoint.find`.

    `progress` hears a file's name, the bytes that are here and the bytes it has (0: unknown).
    Raises `OperatorFault` with one line that says what to do.
    """
    if not _REPO.fullmatch(repo):
        raise _fault(f"{repo[:100]!r} is not a model's name on the hub: write owner/name.")
    endpoint = (options.endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    partial = home / "models" / ".partial" / repo.replace("/", "--")
    try:
        files, commit = _listing(repo, endpoint, options.revision)
        chosen = choose(files, options.file)
        partial.mkdir(parents=True, exist_ok=True)
        _check_space(partial, chosen)
        for file in chosen:
            _download(repo, file, (endpoint, commit), partial, progress)
        return _place(partial, home / "models" / repo)
    except OperatorFault as fault:
        raise _fault(f"Can't pull {repo}: {fault.message}") from None
    except Exception as error:
        raise _fault(f"Can't pull {repo}: {_reason(error, endpoint)}") from error


def _listing(repo: str, endpoint: str, revision: str) -> tuple[list[HubFile], str]:
    from huggingface_hub import HfApi

    info = HfApi(endpoint=endpoint).model_info(repo, revision=revision, files_metadata=True, timeout=30)
    files = [
        HubFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs is not None else "")
        for each in info.siblings or []
    ]
    return files, info.sha or revision


def _check_space(folder: Path, files: Sequence[HubFile]) -> None:
    need = sum(file.size for file in files if not (folder / file.name).exists())
    free = shutil.disk_usage(folder).free
    if need > free:
        raise _fault(f"it needs {need / 1e6:.0f} MB, and {folder} has {free / 1e6:.0f} MB free.")


def _download(repo: str, file: HubFile, place: tuple[str, str], folder: Path, progress: Progress) -> None:
    from huggingface_hub import hf_hub_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # a resumed download is no news
    endpoint, revision = place
    path = hf_hub_download(
        repo,
        file.name,
        revision=revision,
        endpoint=endpoint,
        local_dir=folder,
        library_name="wicket",
        tqdm_class=_bar(file, progress),
    )
    size = Path(path).stat().st_size
    if file.size and size != file.size:
        Path(path).unlink()
        raise _fault(f"{file.name} has {size} bytes instead of {file.size}: try again.")
    if file.sha256 and _sha256(Path(path)) != file.sha256:
        Path(path).unlink()
        raise _fault(f"{file.name} is not what the hub promised (its SHA-256 differs): try again.")
    progress(file.name, size, size)


def _bar(file: HubFile, progress: Progress) -> type[Any]:
    plain: Any = importlib.import_module("tqdm").tqdm

    class Bar(plain):  # type: ignore[misc]
        """Reports instead of drawing."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            self._reported = int(options.get("initial") or 0)
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self._reported += int(n or 0)
            progress(file.name, self._reported, file.size)

    return Bar


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while data := stream.read(_READ_BYTES):
            digest.update(data)
    return digest.hexdigest()


def _place(partial: Path, target: Path) -> Path:
    """Move the finished folder to its place; a model that was there before goes away only then."""
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    old = partial.with_name(partial.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target


def _reason(error: Exception, endpoint: str) -> str:
    from huggingface_hub import errors

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full: make room, then run it again; it goes on where it stopped."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS):
        return f"{error.filename} can't be written."
    if isinstance(error, errors.GatedRepoError):
        return "its owner wants you to accept terms first: do that on its page, then set HF_TOKEN."
    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision."
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
        return f"{endpoint} has no such public model ({status or 404}); for a private one set HF_TOKEN."
    if status is not None:
        return f"{endpoint} answered {status}: try again later."
    if isinstance(error, errors.LocalEntryNotFoundError) or not isinstance(error, ValueError):
        return f"{endpoint} can't be reached ({type(error).__name__}): check the network, or set HF_ENDPOINT."
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _fault(message: str) -> OperatorFault:
    return OperatorFault("pull_failed", message)
