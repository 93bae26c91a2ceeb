"""The tokenizer of a Hugging Face folder: `tokenizer.json` with what the files beside it say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.errors import EngineFault
from wicket.wire import json

MAX_FILE_BYTES = 64 * 1024 * 1024


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when there is no such file. Raises `EngineFault` for a bad one."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_FILE_BYTES:
        raise EngineFault("bad_checkpoint", f"{path.name} is larger than {MAX_FILE_BYTES} bytes.")
    try:
        value: dict[str, Any] = json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, json.DecodeError, RecursionError) as error:
        raise EngineFault("bad_checkpoint", f"{path.name} can't be read: {error}.") from None
    return value


def folder_tokenizer(folder: Path) -> Tokenizer:
    """The folder's tokenizer. Raises `EngineFault` when `tokenizer.json` is missing or broken."""
    from tokenizers import Tokenizer as Inner

    path = folder / "tokenizer.json"
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise EngineFault("bad_checkpoint", f"{folder.name} has no usable tokenizer.json.")
    try:
        inner = Inner.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise EngineFault("bad_checkpoint", f"tokenizer.json can't be read: {str(error)[:200]}") from None
    inner.no_padding()
    inner.no_truncation()
    config = read_json(folder / "tokenizer_config.json")
    model = read_json(folder / "generation_config.json") or read_json(folder / "config.json")
    eos = _ids(model.get("eos_token_id")) or _ids(inner.token_to_id(_content(config.get("eos_token")) or ""))
    bos = inner.token_to_id(_content(config.get("bos_token")) or "")
    return Tokenizer(
        inner,
        eos_ids=eos,
        bos_id=bos,
        adds_bos=config.get("add_bos_token") is True and bos is not None,
        chat_template=_template(folder, config),
    )


def _ids(value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [index for index in values if isinstance(index, int) and not isinstance(index, bool)]


def _content(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _template(folder: Path, config: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES:
        return path.read_text("utf-8", errors="replace")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = [item for item in template if isinstance(item, dict) and item.get("name") == "default"]
        template = named[0].get("template") if named else None
    return template if isinstance(template, str) else None
