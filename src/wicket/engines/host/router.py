"""Whether a local model should answer a request at all, decided before a token is generated.

A request with `x-wicket-floor` says that somebody else can be asked. The chance that this model is good
enough comes out of the shipped router, the model's capability card and the user's feedback
(`minis/suitability.py`); below the floor the answer is status 422 `not_confident`, and the gateway asks the
next deployment. Without the header nothing here runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from wicket.engines.host import answer, request
from wicket.engines.host.exchange import Exchange
from wicket.engines.host.floor import confidence_header
from wicket.engines.host.model import Model
from wicket.engines.host.request import ChatCall
from wicket.errors import CallerFault, Fault, OperatorFault
from wicket.minis import capability
from wicket.minis.capability import CapabilityCard
from wicket.minis.correction import Correction, correction_name, read_correction
from wicket.minis.question import question_of
from wicket.minis.router import Router, shipped
from wicket.minis.suitability import MEASURED_CHARACTERS, known_kinds, suitability

MAX_FILE_BYTES = 1 << 20
Read = TypeVar("Read")
_log = logging.getLogger("wicket.engines")


class Assessed(msgspec.Struct, frozen=True):
    """A request with a floor: what it asks, and how likely this model is good enough. `why` if it is not."""

    floor: float
    chance: float
    why: str
    call: ChatCall | None

    @property
    def is_confident(self) -> bool:
        """Whether the model should answer."""
        return self.call is not None and not self.why and self.chance >= self.floor


def assess(model: Model, body: bytes, floor: float) -> Assessed:
    """Judge a request. What this model can't read, or can't do now, is for the next one to answer."""
    try:
        call = request.chat(body)
    except CallerFault as fault:
        return Assessed(floor, 0.0, f"form: {fault.param or fault.code}", None)
    if call.tools and call.tool_choice != "none":
        return Assessed(floor, 0.0, "tools", call)
    if model.capabilities is None:
        return Assessed(floor, 0.0, f"engine: {model.core.state}", call)
    if model.gate.is_full:
        return Assessed(floor, 0.0, "engine: busy", call)
    kind, chance = _assessor(model.settings.home).chance(model, call)
    why = "" if chance >= floor else f"{kind}: {chance:.4f} is below {floor:.4f}"
    return Assessed(floor, chance, why, call)


async def refuse(exchange: Exchange, assessed: Assessed) -> None:
    """Answer that another model should be asked."""
    message = f"The local model does not answer this request ({assessed.why})."
    fault = CallerFault("not_confident", message, status=422)
    await exchange.reply(fault.status, answer.error(fault), confidence_header(assessed.chance))


class _Kept(Generic[Read]):
    """A small file's content, read again when the file has changed; None while there is none."""

    def __init__(self, path: Path, read: Callable[[bytes], Read]) -> None:
        self._path = path
        self._read = read
        self._mark: tuple[int, int] | None = None
        self._value: Read | None = None

    def now(self) -> Read | None:
        """What the file holds now. A damaged one is logged once, and counts as none."""
        try:
            state = self._path.stat()
        except OSError:
            self._mark = self._value = None
            return None
        mark = (state.st_mtime_ns, state.st_size)
        if mark != self._mark:
            self._mark, self._value = mark, self._load(state.st_size)
        return self._value

    def _load(self, size: int) -> Read | None:
        try:
            if size > MAX_FILE_BYTES:
                raise OperatorFault("too_large", f"it is larger than {MAX_FILE_BYTES} bytes")
            return self._read(self._path.read_bytes())
        except (OSError, Fault) as error:
            _log.warning("%s is not used: %s", self._path, error)
            return None


class _Assessor:
    """The router, and what is known of each model in one data folder."""

    def __init__(self, home: Path) -> None:
        self._home = home / capability.FOLDER
        self._router: Router | None = None
        self._cards: dict[str, tuple[_Kept[CapabilityCard], _Kept[Correction]]] = {}

    def chance(self, model: Model, call: ChatCall) -> tuple[str, float]:
        """The kind of task, and the chance that the model is good enough for it."""
        if self._router is None:
            self._router = shipped()
        name = f"{model.settings.name}/{model.id}"
        if name not in self._cards:
            card = _Kept(self._home / capability.file_name(name), capability.read_capability)
            self._cards[name] = card, _Kept(self._home / correction_name(name), read_correction)
        card, correction = self._cards[name]
        size = sum(len(turn.content) for turn in call.turns)
        last = next((turn.content for turn in reversed(call.turns) if turn.role == "user"), "")
        question = question_of(last, size)
        found = suitability(self._router, known_kinds(card.now(), model.id), question, correction.now())
        return ("length" if size > MEASURED_CHARACTERS else found.kind), found.chance


@cache
def _assessor(home: Path) -> _Assessor:
    return _Assessor(home)
