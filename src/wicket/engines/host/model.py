"""The model a host serves: its core process, its way with text, its queue, and the names it answers to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines import contract
from wicket.engines.checkpoints import locate as checkpoint
from wicket.engines.checkpoints.locate import Checkpoint, OwnSampling
from wicket.engines.core import CoreConfig
from wicket.engines.host import card
from wicket.engines.host.admission import Gate
from wicket.engines.host.process import CoreProcess
from wicket.engines.host.prompter import Prompter, prepare
from wicket.engines.host.request import Limits
from wicket.errors import CallerFault, EngineFault, UnknownModelFault
from wicket.minis.card import MiniCard


class Settings(msgspec.Struct, frozen=True):
    """What the host was started with. 0, "" and None leave the choice to the engine."""

    name: str
    spec: str
    home: Path
    label: str = ""
    max_batch: int = 16
    queue: int = 64
    kv_tokens: int = 16384
    context_tokens: int = 0
    threads: int | None = None
    scheme: str = "auto"
    load_wait_s: float = 120.0
    stall_s: float = 60.0
    drain_s: float = 30.0


class Model:
    """Loads, and stays loaded. Run `run` as a task; `loaded` waits for it."""

    def __init__(
        self, settings: Settings, on_state: Callable[[str, str], None] = lambda state, why: None
    ) -> None:
        self.settings = settings
        self.gate = Gate(settings.max_batch, settings.queue)
        self.core = CoreProcess(self._find, on_state, stall_s=settings.stall_s)
        self._checkpoint: Checkpoint | None = None
        self._prompter: Prompter | None = None
        self._prompter_fault: EngineFault | None = None
        self._preparing = asyncio.Lock()

    @property
    def id(self) -> str:
        """The model's id, which answers carry: its label in the configuration, or its own."""
        if self.settings.label:
            return self.settings.label
        return self._checkpoint.id if self._checkpoint is not None else self.settings.spec

    @property
    def capabilities(self) -> contract.Capabilities | None:
        """What the engine can do, once it is loaded."""
        return self.core.capabilities

    @property
    def is_mini(self) -> bool:
        """Whether this is a mini, found already or not."""
        if self._checkpoint is not None:
            return self._checkpoint.mini is not None
        try:
            return checkpoint.is_mini(self.settings.spec, self.settings.home)
        except EngineFault:  # a name that leads elsewhere: whoever loads it says so
            return False

    @property
    def mini(self) -> MiniCard | None:
        """The card of a mini, once its checkpoint was found."""
        return self._checkpoint.mini if self._checkpoint is not None else None

    @property
    def fingerprint(self) -> str:
        """OpenAI's `system_fingerprint`: engine and scheme."""
        known = self.core.capabilities
        return f"{known.engine}-{known.scheme}" if known is not None else ""

    @property
    def limits(self) -> Limits:
        """Bounds for requests; only once it is loaded."""
        known = self.core.capabilities
        assert known is not None
        context = card.context_tokens(known)
        if self.settings.context_tokens:
            context = min(context, self.settings.context_tokens)
        own = self._checkpoint.sampling if self._checkpoint is not None else OwnSampling()
        return Limits(context, known.vocab_size, known.max_logprobs, own.temperature, own.top_p)

    async def run(self) -> None:
        """Keep the core process alive until cancelled."""
        try:
            await self.core.run()
        finally:
            if self._prompter is not None:
                await self._prompter.close()

    def named(self, name: str) -> None:
        """Check that a request means this model. Raises `UnknownModelFault`."""
        own = self.id
        mine = {"", own, self.settings.name, f"{self.settings.name}/{own}"}
        if name not in mine:
            message = f"There is no model {name[:100]!r} here: this engine serves {own!r}."
            raise UnknownModelFault("model_not_found", message, param="model")

    async def loaded(self, verb: str, wait_s: float | None = None) -> None:
        """Wait until the engine is loaded, at most `wait_s`, or as long as the settings say.

        Raises `EngineFault` if it can't be, `CallerFault` if it does not do `verb`.
        """
        known = await self.ready(wait_s)
        if verb not in known.verbs:
            message = f"The model {self.id} can't {verb}: it can {', '.join(known.verbs)}."
            raise CallerFault("unsupported", message, param="model")

    async def ready(self, wait_s: float | None = None) -> contract.Capabilities:
        """Wait as `loaded` does, for any verb. Raises `EngineFault` if it can't be loaded."""
        return await self.core.ready(self.settings.load_wait_s if wait_s is None else wait_s)

    async def prompter(self) -> Prompter:
        """The tokenizer and template of what is loaded. Raises `EngineFault` if they can't be used."""
        async with self._preparing:
            if self._prompter_fault is not None:
                fault = self._prompter_fault
                raise EngineFault(fault.code, fault.message)
            if self._prompter is None:
                assert self._checkpoint is not None
                try:
                    self._prompter = await prepare(self._checkpoint)
                except EngineFault as fault:
                    self._prompter_fault = fault
                    raise
        return self._prompter

    async def check(self) -> None:
        """Whether requests would be answered now. Raises `EngineFault` if not, "engine_loading" meanwhile."""
        known = self.core.capabilities
        if self.core.fault is not None:
            raise EngineFault(self.core.fault.code, self.core.fault.message)
        if self.core.state != "ready" or known is None:
            raise EngineFault("engine_loading", "The model is loading.")
        if "generate" in known.verbs:
            await self.prompter()

    async def describe(self) -> dict[str, Any]:
        """The model's entry in /v1/models, with its card as far as it is known."""
        entry: dict[str, Any] = {"id": self.id, "object": "model", "created": 0, "owned_by": "wicket"}
        entry["state"] = self.core.state
        known = self.core.capabilities
        if self.core.state != "ready" or known is None or self._checkpoint is None:
            return entry
        has_template = has_tools = False
        if "generate" in known.verbs:
            try:
                prompter = await self.prompter()
            except EngineFault as fault:
                return {**entry, "state": "failed", "notes": [fault.message]}
            has_template, has_tools = prompter.has_template, prompter.has_template_tools
        fields = card.card(self._checkpoint, known, has_template=has_template, has_template_tools=has_tools)
        return {**entry, **fields}

    def _find(self) -> CoreConfig:
        settings = self.settings
        found = checkpoint.find(settings.spec, settings.home)
        if self._checkpoint is not None and found != self._checkpoint and self._prompter is not None:
            raise EngineFault("model_changed", f"{settings.spec} is another model now: restart the engine.")
        self._checkpoint = found
        self._prompter_fault = None
        options: dict[str, Any] = {
            "scheme": settings.scheme or "auto",
            "threads": settings.threads or None,
            "cache_dir": str(settings.home / "cache" / "engines"),
        }
        if found.module != "minilm":
            options["kv_tokens"] = settings.kv_tokens
            options["max_batch"] = settings.max_batch
        return CoreConfig(found.module, str(found.path), options)
