"""The bodies of /v1/embeddings, /v1/score and /v1/classify, checked field by field. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from wicket.engines.contract import TokenLogprob
from wicket.engines.host.fields import Body, bad_value
from wicket.engines.host.request import MAX_LOGPROBS
from wicket.errors import CallerFault

MAX_TEXTS = 2048
MAX_LABELS_SHOWN = 50_000  # of all texts of one answer together
DEFAULT_LABELS = 10
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_EMBEDDING_FIELDS = {"model", "input", "encoding_format", "dimensions", "user"}
_SCORE_FIELDS = {"model", "input", "top", "user"}
_CLASSIFY_FIELDS = {"model", "input", "top", "user"}


class TextsCall(msgspec.Struct, frozen=True):
    """Texts to embed; `dimensions` is what the caller expects of a vector."""

    model: str
    texts: list[str]
    is_base64: bool
    dimensions: int | None
    dropped: tuple[str, ...]


class ClassifyCall(msgspec.Struct, frozen=True):
    """Texts to classify, with so many labels each."""

    model: str
    texts: list[str]
    top: int
    dropped: tuple[str, ...]


class ScoreCall(msgspec.Struct, frozen=True):
    """A text, or token ids, whose tokens are scored with `top` alternatives each."""

    model: str
    input: str | list[int]
    top: int
    dropped: tuple[str, ...]


class Scored(msgspec.Struct, frozen=True):
    """One token of /v1/score's answer; `top` holds (token id, log-probability) pairs, best first."""

    id: int
    token: str
    logprob: float
    top: list[tuple[int, float]] = []


def texts(body: bytes) -> TextsCall:
    """Read an embeddings body. Raises `CallerFault` naming the field."""
    fields = Body(body)
    found = _texts(fields)
    encoding = fields.read("encoding_format", Literal["float", "base64"], "float")
    return TextsCall(
        model=fields.read("model", str, ""),
        texts=found,
        is_base64=encoding == "base64",
        dimensions=fields.read("dimensions", Annotated[int, msgspec.Meta(ge=1)]),
        dropped=fields.unknown(_EMBEDDING_FIELDS),
    )


def classify(body: bytes) -> ClassifyCall:
    """Read a classify body. Raises `CallerFault` naming the field."""
    fields = Body(body)
    found = _texts(fields)
    most = max(1, MAX_LABELS_SHOWN // len(found))
    top = fields.read("top", Annotated[int, msgspec.Meta(ge=1, le=most)], min(DEFAULT_LABELS, most))
    return ClassifyCall(fields.read("model", str, ""), found, top, fields.unknown(_CLASSIFY_FIELDS))


def _texts(fields: Body) -> list[str]:
    given = fields.need("input", str | list[Any])
    is_tokens = not isinstance(given, str) and bool(given) and isinstance(given[0], int | list)
    if is_tokens:
        message = "'input' holds token ids, which belong to another model's tokenizer: send text."
        raise CallerFault("unsupported_content", message, param="input")
    found = fields.read(
        "input", _Text | Annotated[list[_Text], msgspec.Meta(min_length=1, max_length=MAX_TEXTS)]
    )
    return [found] if isinstance(found, str) else found


def check_dimensions(wanted: int | None, have: int) -> None:
    """Raises `CallerFault` if the caller wants vectors of another size than the model's."""
    if wanted is not None and wanted != have:
        raise bad_value("dimensions", f"this model's vectors have {have} dimensions")


def score(body: bytes) -> ScoreCall:
    """Read a score body. Raises `CallerFault` naming the field."""
    fields = Body(body)
    tokens = Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(min_length=1)]
    return ScoreCall(
        model=fields.read("model", str, ""),
        input=fields.need("input", _Text | tokens),
        top=fields.read("top", Annotated[int, msgspec.Meta(ge=0, le=MAX_LOGPROBS)], 0),
        dropped=fields.unknown(_SCORE_FIELDS),
    )


def scored(entry: TokenLogprob, token: str) -> Scored:
    """One entry of the answer."""
    return Scored(entry.token_id, token, entry.logprob, list(entry.top))
