"""The hub's settings as `generationConfig`, `toolConfig` and their neighbours."""

from __future__ import annotations

from typing import Any

from wicket.dialects.gemini.families import BUDGETS, EFFORTS, Family, effort_of, level_of
from wicket.dialects.gemini.part_writing import ORIGIN
from wicket.dialects.gemini.tool_writing import fit
from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, ToolChoice, unsayable

_PLAIN = {
    Setting.MAX_OUTPUT_TOKENS: "maxOutputTokens",
    Setting.TEMPERATURE: "temperature",
    Setting.TOP_P: "topP",
    Setting.TOP_K: "topK",
    Setting.STOP: "stopSequences",
    Setting.SEED: "seed",
    Setting.FREQUENCY_PENALTY: "frequencyPenalty",
    Setting.PRESENCE_PENALTY: "presencePenalty",
}
_SAMPLING = (Setting.TEMPERATURE, Setting.TOP_P, Setting.TOP_K)
_MODALITIES = ("text", "image", "audio")
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard"}


class SettingsWriter:
    """Writes what Gemini has a word for into a body; `said` are those settings, `losses` what did not fit."""

    def __init__(self, conversation: Conversation, family: Family, *, is_vertex: bool) -> None:
        self.said: set[Setting] = set()
        self.losses: list[str] = []
        self._settings = conversation.settings
        self._names = conversation.names
        self._conversation = conversation
        self._family = family
        self._is_vertex = is_vertex
        self._is_own = conversation.origin == ORIGIN

    def write(self, body: dict[str, Any]) -> None:
        """Raises `CallerFault` for a value that this family of models can't be asked for."""
        config: dict[str, Any] = {}
        self._write_plain(config)
        self._write_format(config)
        self._write_reasoning(config)
        self._write_output(config)
        self._write_choice(body)
        self._write_parallel()
        self._write_neighbours(body)
        if config:
            body["generationConfig"] = config
        self._write_own(body)

    def _name(self, setting: Setting) -> str:
        return self._names.get(setting, setting.value)

    def _write_plain(self, config: dict[str, Any]) -> None:
        for setting, name in _PLAIN.items():
            value = self._settings.get(setting)
            if value is None:
                continue
            self.said.add(setting)
            if setting in _SAMPLING and not self._family.samples and not self._is_own:
                self.losses.append(self._name(setting))
            else:
                config[name] = value

    def _write_format(self, config: dict[str, Any]) -> None:
        asked: Format | None = self._settings.get(Setting.FORMAT)
        if asked is None:
            return
        self.said.add(Setting.FORMAT)
        name = self._name(Setting.FORMAT)
        has_functions = any(tool.kind == "function" for tool in self._conversation.tools)
        if has_functions and not self._family.formats_with_tools:
            raise unsayable(name, "this model answers in a form or calls functions, not both")
        config["responseMimeType"] = "application/json"
        if asked.kind == "json_schema" and asked.schema is not None:
            fitted = fit(asked.schema, name, self._family)
            self.losses += fitted.losses
            config["responseJsonSchema" if self._family.reads_json_schema else "responseSchema"] = (
                fitted.schema
            )

    def _write_reasoning(self, config: dict[str, Any]) -> None:
        asked: Reasoning | None = self._settings.get(Setting.REASONING)
        if asked is None:
            return
        self.said.add(Setting.REASONING)
        is_off = asked.effort == "none" or asked.is_on is False
        thinking: dict[str, Any] = {}
        if self._family.thinks == "no":
            if not is_off and asked != Reasoning(is_shown=asked.is_shown):
                raise unsayable(self._name(Setting.REASONING), "this model does not think")
            return
        if asked.is_shown or asked.summary:
            thinking["includeThoughts"] = True
        elif asked.is_shown is False and self._is_own:
            thinking["includeThoughts"] = False
        if is_off:
            thinking.update(self._resting())
        elif self._family.thinks == "budget":
            thinking.update(self._budget(asked))
        else:
            thinking.update(self._level(asked))
        if thinking:
            config["thinkingConfig"] = thinking

    def _resting(self) -> dict[str, Any]:
        """As little thinking as the family allows; where it can't be switched off, that is told."""
        if self._family.thinks == "budget" and self._family.can_rest:
            return {"thinkingBudget": 0}
        self.losses.append(self._name(Setting.REASONING))
        if self._family.thinks == "budget":
            return {"thinkingBudget": self._family.min_budget}
        return {"thinkingLevel": self._family.levels[0].upper()}

    def _budget(self, asked: Reasoning) -> dict[str, Any]:
        tokens = asked.budget_tokens
        if tokens is None and asked.effort in EFFORTS:
            tokens = BUDGETS[asked.effort]
        if tokens is None:
            return {"thinkingBudget": -1} if asked.is_on else {}
        return {"thinkingBudget": max(self._family.min_budget, min(tokens, self._family.max_budget))}

    def _level(self, asked: Reasoning) -> dict[str, Any]:
        effort = asked.effort
        if effort is None and asked.budget_tokens is not None:
            effort = effort_of(asked.budget_tokens)
        return {"thinkingLevel": level_of(self._family, effort).upper()} if effort in EFFORTS else {}

    def _write_output(self, config: dict[str, Any]) -> None:
        count = self._settings.get(Setting.NUM_CHOICES)
        if count == 1:
            self.said.add(Setting.NUM_CHOICES)
        number = self._settings.get(Setting.LOGPROBS)
        if number is not None:
            self.said.add(Setting.LOGPROBS)
            config["responseLogprobs"] = True
            if number:
                config["logprobs"] = number
        wanted = self._settings.get(Setting.MODALITIES)
        if wanted is not None and all(one in _MODALITIES for one in wanted) and self._speaks(wanted):
            self.said.add(Setting.MODALITIES)
            config["responseModalities"] = [one.upper() for one in wanted]
        if Setting.AUDIO in self._settings and self._is_own:
            self.said.add(Setting.AUDIO)
            config["speechConfig"] = self._settings[Setting.AUDIO]

    def _speaks(self, wanted: tuple[str, ...]) -> bool:
        """Spoken answers need a voice and a format, which only Gemini's own callers can name for it."""
        return self._is_own or "audio" not in wanted

    def _write_choice(self, body: dict[str, Any]) -> None:
        choice: ToolChoice | None = self._settings.get(Setting.TOOL_CHOICE)
        functions = [tool for tool in self._conversation.tools if tool.kind == "function"]
        if choice is not None:
            self.said.add(Setting.TOOL_CHOICE)
        if not functions:
            if choice is not None and choice.mode in ("required", "named"):
                raise unsayable(self._name(Setting.TOOL_CHOICE), "no function is offered")
            return
        choice = choice or ToolChoice("auto")
        is_strict = self._family.validates and any(tool.is_strict for tool in functions)
        calling: dict[str, Any] = {}
        if choice.mode in ("required", "named"):
            calling["mode"] = "ANY"
        elif choice.mode == "none":
            calling["mode"] = "NONE"
        elif choice.names or is_strict:
            calling["mode"] = "VALIDATED"
        if choice.names and choice.mode != "none":
            calling["allowedFunctionNames"] = list(choice.names)
        if calling:
            body["toolConfig"] = {"functionCallingConfig": calling}

    def _write_parallel(self) -> None:
        """There is no word against several calls at once; without functions none is needed."""
        if self._settings.get(Setting.PARALLEL_TOOLS) is not False or not self._conversation.tools:
            self.said.add(Setting.PARALLEL_TOOLS)

    def _write_neighbours(self, body: dict[str, Any]) -> None:
        tier = self._settings.get(Setting.SERVICE_TIER)
        if tier == "auto" or (tier in _TIERS and not self._is_vertex):
            self.said.add(Setting.SERVICE_TIER)
            if tier in _TIERS:
                body["serviceTier"] = _TIERS[tier]
        if not self._is_own:
            return
        for setting, name in (
            (Setting.SAFETY, "safetySettings"),
            (Setting.METADATA, "labels"),
            (Setting.STORE, "store"),
        ):
            if setting in self._settings:
                self.said.add(setting)
                body[name] = self._settings[setting]

    def _write_own(self, body: dict[str, Any]) -> None:
        """Back to where they stood, if Gemini is whom they were meant for."""
        if not self._is_own:
            return
        for setting in (Setting.OWN, Setting.OWN_HINTS):
            self.said.add(setting)
            for path, raw in self._settings.get(setting, {}).items():
                place: dict[str, Any] = body
                *outer, last = path.split(".")
                for name in outer:
                    place = place.setdefault(name, {})
                place[last] = raw
