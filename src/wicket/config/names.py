"""What to say to a model name that nobody answers to."""

from __future__ import annotations

import difflib

from wicket.config.mistakes import printable
from wicket.config.schema import Config
from wicket.errors import OperatorFault, UnknownModelFault
from wicket.providers import catalogue

MAX_NAME = 256
MAX_COMPARED = 1_000


def unknown_model(name: str, config: Config, known: list[str]) -> UnknownModelFault:
    """`provider_not_configured` for a catalogue model without a credential, else `model_not_found`."""
    row = _row_of(name)
    if row is not None and row not in {provider.row for provider in config.providers.values()}:
        return _not_configured(name, row, config, known)
    same = _same_elsewhere(name, known)
    near = same or near_names(name, known)
    shown = printable(name) or "(empty)"
    if len(same) > 1:
        what = f"Several providers have the model '{shown}': write {_either(same)}, or choose by 'provider'."
    elif near:
        what = f"The model '{shown}' does not exist here. Did you mean {_either(near)}?"
    else:
        what = f"The model '{shown}' does not exist here. {_works_now(known)}"
    return UnknownModelFault(
        "model_not_found", f"{what} GET /v1/models lists what can be called.", param="model"
    )


def no_mini_yet(name: str, task: str) -> OperatorFault:
    """What to say while only a mini may answer to `name`, and its task has none."""
    message = (
        f"'{printable(name)}' is answered by the mini of the task '{printable(task)}' alone, and that task "
        "has no mini yet: train one, or let another deployment answer as well."
    )
    return OperatorFault("no_mini_yet", message)


def _either(names: list[str]) -> str:
    return " or ".join(names)


def _same_elsewhere(name: str, known: list[str]) -> list[str]:
    """Up to three `provider/model` whose model is exactly `name`."""
    return [each for each in known if name and each.partition("/")[2] == name][:3]


def near_names(name: str, known: list[str]) -> list[str]:
    """Up to three callable names that resemble `name`, the nearest first."""
    return difflib.get_close_matches(name[:MAX_NAME], known[:MAX_COMPARED], n=3, cutoff=0.6)


def _row_of(name: str) -> str | None:
    """The catalogue row that `provider/model` or a known bare model belongs to."""
    if len(name) > MAX_NAME:
        return None
    provider, slash, model = name.partition("/")
    if slash and model and catalogue.has_row(provider):
        return provider
    serving = catalogue.providers_of(name)
    return serving[0] if serving else None


def _not_configured(name: str, row: str, config: Config, known: list[str]) -> UnknownModelFault:
    title = catalogue.rows()[row].title
    message = (
        f"'{printable(name)}' is served by {title}, which is not configured: {what_to_do(row, config)}. "
    )
    same = _same_elsewhere(name, known)
    works = f"{_either(same)} works now." if same else _works_now(known)
    return UnknownModelFault("provider_not_configured", message + works, param="model")


def what_to_do(row: str, config: Config) -> str:
    """How to enable a provider of the catalogue, as the end of a sentence."""
    variable = (catalogue.rows()[row].env or ("",))[0]
    if row in config.unusable:
        return config.unusable[row]
    if not config.source and variable and catalogue.rows()[row].is_enabled_by_env:
        return f"set {variable} and start Wicket again"
    key = f' with api_key = "env:{variable}"' if variable else ""
    where = config.source or "wicket.toml"
    return f"add [providers.{row}]{key} to {where}" + (f" and set {variable}" if variable else "")


def _works_now(known: list[str]) -> str:
    shown = known[:3]
    if not shown:
        return "No model can be called yet: configure a provider or an engine."
    return f"What works now: {', '.join(shown)}{', …' if len(known) > len(shown) else ''}."
