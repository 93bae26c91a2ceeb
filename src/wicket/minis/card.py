"""A mini's card, `mini.json` beside its checkpoint: what it is for, when it may answer, how it was proved."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.errors import EngineFault
from wicket.minis.answers import AnswerShape
from wicket.minis.confidence import Calibration
from wicket.minis.familiarity import Familiarity

FILE_NAME = "mini.json"
FOLDER = "minis"  # in the data folder: minis/TASK/RUN/, and minis/TASK/current, a file that holds RUN
CURRENT = "current"
VERSION = 1


class MiniCard(msgspec.Struct, frozen=True, kw_only=True):
    """`engine` says how it answers: "generation" writes the answer, "label" picks one of `answers.labels`.

    `systems` are the system prompts of training, in the order of their numbers ("" for none).
    `max_input_tokens` bounds the whole prompt, `max_output_tokens` the answer with its end token.
    `floor`: an answer with less confidence is refused even where the caller names no floor of its own.
    `evaluation` and `lineage` are the report's own words: scores with intervals, base, data and their hashes.
    """

    version: int = VERSION
    task: str
    run: str
    created_ms: int
    engine: str = "generation"
    base: str
    licence: str
    systems: tuple[str, ...]
    answers: AnswerShape
    max_input_tokens: int
    max_output_tokens: int
    calibration: Calibration
    familiarity: Familiarity
    floor: float = 0.0
    evaluation: dict[str, Any] = {}
    lineage: dict[str, Any] = {}


_decode = msgspec.json.Decoder(MiniCard).decode


def read_card(data: bytes) -> MiniCard:
    """The card in a file's bytes. Raises `EngineFault` for one that is damaged or of a newer version."""
    try:
        card = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EngineFault("bad_checkpoint", f"{FILE_NAME} can't be read: {error}.") from None
    if card.version != VERSION:
        message = f"{FILE_NAME} has version {card.version}, and this Wicket reads {VERSION}: update Wicket."
        raise EngineFault("bad_checkpoint", message)
    return card
