"""Files as callers see them, OpenAI's and Anthropic's. Source: OpenAI API reference, "files"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from wicket.errors import CallerFault
from wicket.state.kept import KeptFile

PREFIX = "file-"
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
OUTPUT = "batch_output"  # of files that a batch makes
MAX_NAME = 255
_TYPES = {
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv",
    "json": "application/json", "html": "text/html", "png": "image/png", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}  # fmt: skip
MIN_EXPIRY_S, MAX_EXPIRY_S = 3_600, 2_592_000


def unknown_file() -> CallerFault:
    """The fault for an id that is unknown, forged, deleted or somebody else's: nobody learns which."""
    return CallerFault("file_not_found", "There is no such file of this key.", status=404, param="file_id")


def shown_name(name: str) -> str:
    """A caller's name for a file as it is kept and shown: its last part, printable, never a path of ours."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in last if c.isprintable())[:MAX_NAME]
    return plain if plain.strip(". ") else "file"


def checked_purpose(purpose: str) -> str:
    """A purpose that a caller may give. Raises `CallerFault`."""
    if purpose not in PURPOSES:
        message = f"'purpose' must be one of {', '.join(PURPOSES)}."
        raise CallerFault("invalid_value", message, param="purpose")
    return purpose


def expiry_ms(anchor: str, seconds: str, created_ms: int) -> int:
    """When a file ends by its `expires_after`, Unix ms; 0 where neither was said. Raises `CallerFault`."""
    if not anchor and not seconds:
        return 0
    if anchor != "created_at":
        raise CallerFault("invalid_value", 'It must be "created_at".', param="expires_after[anchor]")
    if not (seconds.isascii() and seconds.isdigit() and MIN_EXPIRY_S <= int(seconds[:9]) <= MAX_EXPIRY_S):
        message = f"It must be between {MIN_EXPIRY_S} and {MAX_EXPIRY_S}."
        raise CallerFault("invalid_value", message, param="expires_after[seconds]")
    return created_ms + int(seconds) * 1_000


def file_json(file: KeptFile) -> dict[str, Any]:
    """OpenAI's file object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.num_bytes,
        "created_at": file.created_ms // 1_000,
        "expires_at": file.expires_ms // 1_000 if file.expires_ms else None,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def metadata_json(file: KeptFile) -> dict[str, Any]:
    """Anthropic's file metadata. Source: Anthropic API reference, "files" (beta files-api-2025-04-14)."""
    return {
        "id": file.id,
        "type": "file",
        "filename": file.name,
        "mime_type": media_type_of(file.name) or "application/octet-stream",
        "size_bytes": file.num_bytes,
        "created_at": _moment(file.created_ms),
        "expires_at": _moment(file.expires_ms) if file.expires_ms else None,
        "downloadable": True,
    }


def media_type_of(name: str) -> str:
    """What a file's name says of what it holds; "" if nothing."""
    return _TYPES.get(name.rpartition(".")[2].lower(), "")


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def list_json(rows: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """OpenAI's list object."""
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }
