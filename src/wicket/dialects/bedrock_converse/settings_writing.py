"""Settings as `inferenceConfig`, `outputConfig`, and the additional fields that a model's own API names.

Source: `InferenceConfiguration`, `OutputConfig`, `ServiceTier` of the API reference; what goes into
`additionalModelRequestFields` is each family's own (`families`).
"""

from __future__ import annotations

import re
from typing import Any

from wicket.dialects.bedrock_converse.families import BUDGETS, MIN_BUDGET, Family, effort_of
from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, unsayable
from wicket.routing.deployment import Deployment
from wicket.wire import json

_TIERS = {"priority": "priority", "default": "default", "flex": "flex"}
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
MAX_METADATA = 16
MAX_STOPS = 2_500


class SettingsWriter:
    """Writes what Converse has a word for; `said` are those settings, `losses` what did not fit."""

    def __init__(self, conversation: Conversation, deployment: Deployment, family: Family) -> None:
        self.said: set[Setting] = {Setting.TOOL_CHOICE}  # written, or refused, with the tools
        self.losses: list[str] = []
        self._conversation = conversation
        self._settings = conversation.settings
        self._deployment = deployment
        self._family = family
        self._more: dict[str, Any] = {}

    def write(self, body: dict[str, Any]) -> None:
        """Raises `CallerFault` for a value that this family of models can't be asked for."""
        config = self._config()
        self._write_reasoning(config)
        if config:
            body["inferenceConfig"] = config
        self._write_top_k()
        self._write_parallel(body)
        self._write_format(body)
        self._write_neighbours(body)
        if self._more:
            body["additionalModelRequestFields"] = self._more

    def _name(self, setting: Setting) -> str:
        return self._conversation.names.get(setting, setting.value)

    def _get(self, setting: Setting) -> Any:
        value = self._settings.get(setting)
        if value is not None:
            self.said.add(setting)
        return value

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        limit, most = self._get(Setting.MAX_OUTPUT_TOKENS), self._deployment.max_output_tokens
        if limit is not None:
            config["maxTokens"] = min(limit, most) if most else limit  # no answer is longer than the limit
        self._write_sampling(config)
        stops = self._get(Setting.STOP)
        if stops:
            if any(not one for one in stops) or len(stops) > MAX_STOPS:
                raise unsayable(self._name(Setting.STOP), "a stop sequence has at least one character")
            config["stopSequences"] = list(stops)
        return config

    def _write_sampling(self, config: dict[str, Any]) -> None:
        """Temperature is 0 to 1 here: more is 1, and reported. What is the default need not be said."""
        temperature, top_p = self._get(Setting.TEMPERATURE), self._get(Setting.TOP_P)
        if self._family.samples == "none":
            for setting, value in ((Setting.TEMPERATURE, temperature), (Setting.TOP_P, top_p)):
                if value is not None and value != 1:
                    raise unsayable(self._name(setting), "the model takes no sampling settings")
            return
        if temperature is not None:
            if temperature > 1:
                self.losses.append(self._name(Setting.TEMPERATURE))
            config["temperature"] = min(temperature, 1.0)
        if top_p is not None and self._family.samples == "one" and temperature is not None:
            if top_p != 1:
                self.losses.append(self._name(Setting.TOP_P))
        elif top_p is not None:
            config["topP"] = top_p

    def _write_top_k(self) -> None:
        if Setting.TOP_K not in self._settings or not self._family.top_k or self._family.samples == "none":
            return
        place, (*outer, last) = self._more, self._family.top_k.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = self._get(Setting.TOP_K)

    def _write_parallel(self, body: dict[str, Any]) -> None:
        """Only Claude can be told to call one tool at a time: by its own API's `tool_choice`."""
        if self._settings.get(Setting.PARALLEL_TOOLS) is not False or "toolConfig" not in body:
            self.said.add(Setting.PARALLEL_TOOLS)
            return
        if not self._family.is_single:
            return
        self.said.add(Setting.PARALLEL_TOOLS)
        choice = body["toolConfig"].pop("toolChoice", {"auto": {}})
        kind, inner = next(iter(choice.items()))
        self._more["tool_choice"] = {"type": kind, **inner, "disable_parallel_tool_use": True}

    def _write_format(self, body: dict[str, Any]) -> None:
        asked: Format | None = self._get(Setting.FORMAT)
        if asked is None:
            return
        name = self._name(Setting.FORMAT)
        if asked.kind != "json_schema" or asked.schema is None:
            raise unsayable(name, "it takes JSON of a given schema only")
        if not self._family.formats:
            raise unsayable(name, "this model is not known to answer by a schema there")
        schema = {"schema": json.encode(asked.schema).decode(), "name": asked.name or "answer"}
        if asked.description:
            schema["description"] = asked.description
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}

    def _write_reasoning(self, config: dict[str, Any]) -> None:
        asked: Reasoning | None = self._get(Setting.REASONING)
        if asked is None:
            return
        is_off = asked.effort == "none" or asked.is_on is False or asked.budget_tokens == 0
        is_asked = asked.effort is not None or asked.budget_tokens is not None or bool(asked.is_on)
        match self._family.thinks:
            case _ if is_off:
                self._rest()
            case _ if not is_asked:
                pass
            case "budget":
                self._more["thinking"] = {"type": "enabled", "budget_tokens": self._budget(asked, config)}
                self._drop_sampling(config)
            case "adaptive":
                self._more["thinking"] = {"type": "adaptive"}
                if (effort := _effort(asked)) is not None:
                    self._more["output_config"] = {"effort": effort}
                self._drop_sampling(config)
            case "nova":
                self._think_as_nova(_level(asked), config)
            case "effort":
                self._more["reasoning_effort"] = _level(asked)
            case "config":
                self._more["reasoning_config"] = _level(asked)
            case _:
                raise unsayable(self._name(Setting.REASONING), "this model can't be asked to think there")

    def _rest(self) -> None:
        """No thinking, or as little as there is, which is told."""
        if self._family.rests == "disabled":
            self._more["thinking"] = {"type": "disabled"}
        elif self._family.rests == "never":
            self.losses.append(self._name(Setting.REASONING))
            if self._family.thinks == "effort":
                self._more["reasoning_effort"] = "low"

    def _budget(self, asked: Reasoning, config: dict[str, Any]) -> int:
        """At least 1,024 tokens, fewer than the answer may have. Raises `CallerFault` where that can't be."""
        wanted = asked.budget_tokens or BUDGETS.get(asked.effort or "medium", BUDGETS["medium"])
        limit = config.get("maxTokens") or self._deployment.max_output_tokens
        budget = max(MIN_BUDGET, wanted)
        if limit and budget >= limit:
            budget = limit - 1
            if budget < MIN_BUDGET:
                name = self._name(Setting.REASONING)
                raise unsayable(name, f"it thinks with {MIN_BUDGET} tokens at least, within the output limit")
            if asked.budget_tokens is not None:
                self.losses.append(self._name(Setting.REASONING))
        if not config.get("maxTokens"):
            config["maxTokens"] = limit or budget + 4_096
        return budget

    def _drop_sampling(self, config: dict[str, Any]) -> None:
        """A model that thinks samples as it likes: temperature 1, no top-k, a high top-p at most."""
        if config.get("temperature", 1) == 1:
            config.pop("temperature", None)
        else:
            raise unsayable(self._name(Setting.TEMPERATURE), "the model takes none while it thinks")
        if config.get("topP", 1) < 0.95:
            raise unsayable(self._name(Setting.TOP_P), "the model takes at least 0.95 while it thinks")
        if self._settings.get(Setting.TOP_K) is not None:
            raise unsayable(self._name(Setting.TOP_K), "the model takes none while it thinks")

    def _think_as_nova(self, level: str, config: dict[str, Any]) -> None:
        """At its highest effort Nova takes neither a limit nor sampling settings."""
        self._more["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
        if level == "high":
            for name, setting in (
                ("maxTokens", Setting.MAX_OUTPUT_TOKENS),
                ("temperature", Setting.TEMPERATURE),
                ("topP", Setting.TOP_P),
            ):
                if config.pop(name, None) is not None:
                    raise unsayable(self._name(setting), "the model takes none at its highest effort")

    def _write_neighbours(self, body: dict[str, Any]) -> None:
        if self._settings.get(Setting.NUM_CHOICES) == 1:
            self.said.add(Setting.NUM_CHOICES)
        tier = self._settings.get(Setting.SERVICE_TIER)
        if tier in _TIERS:
            body["serviceTier"] = {"type": _TIERS[tier]}
        if tier in _TIERS or tier == "auto":
            self.said.add(Setting.SERVICE_TIER)
        metadata = self._settings.get(Setting.METADATA)
        if metadata and len(metadata) <= MAX_METADATA and all(map(_METADATA.fullmatch, _words(metadata))):
            self.said.add(Setting.METADATA)
            body["requestMetadata"] = metadata


def _words(metadata: dict[str, str]) -> list[str]:
    return [*metadata, *[str(value) for value in metadata.values()]]


def _effort(asked: Reasoning) -> str | None:
    """An effort that adaptive thinking knows; None leaves it to the model."""
    if asked.effort is None:
        return effort_of(asked.budget_tokens) if asked.budget_tokens else None
    return {"minimal": "low", "xhigh": "max"}.get(asked.effort, asked.effort)


def _level(asked: Reasoning) -> str:
    """Low, medium or high."""
    effort = asked.effort or (effort_of(asked.budget_tokens) if asked.budget_tokens else "medium")
    return {"minimal": "low", "low": "low", "medium": "medium"}.get(effort, "high")
