"""What a start says: what is served, who is enabled and why, a line to paste, where the data lives. Pure."""

from __future__ import annotations

from pathlib import Path

from wicket.config.deployments import compact_engine
from wicket.config.schema import Config, Engine
from wicket.supervisor.adminkey import AdminKey
from wicket.supervisor.probe import Readiness

MAX_MODELS_SHOWN = 8


def start_message(config: Config, url: str, admin: AdminKey, home: Path) -> str:
    """The whole message, ending without a line break. Holds the key only when this start made it."""
    lines = [f"Wicket answers on {url}/v1", "", f"  Page:    {url}/ (keys, playground, usage, credit)"]
    lines += _served(config)
    lines += _key(admin)
    lines += ["", "  Try it:", *(f"    {line}" for line in _curl(config, url, admin)), ""]
    lines += [f"  Data:    {home}"]
    lines += [f"  Config:  {config.source or 'none (wicket.toml here or in the data folder)'}"]
    return "\n".join(lines)


def setup_lines(url: str, code: str) -> str:
    """While nobody has signed up: where one does, and what that takes from another machine."""
    return f"  Sign up: {url} (the first user is the owner; from another machine with the code {code})"


def _served(config: Config) -> list[str]:
    lines = [f"  Local:   {describe_engine(engine)}" for engine in config.engines.values()]
    if config.models:
        names = list(config.models)
        more = f" and {len(names) - MAX_MODELS_SHOWN} more" if len(names) > MAX_MODELS_SHOWN else ""
        lines.append(f"  Models:  {', '.join(names[:MAX_MODELS_SHOWN])}{more}")
    for name, provider in config.providers.items():
        lines.append(f"  Enabled: {name} ({provider.reason}), as {name}/MODEL")
    lines += [f"  Note:    {warning}" for warning in config.warnings]
    if not (config.engines or config.models or config.providers):
        lines.append(
            "  Nothing can answer yet: set a provider's variable, e.g. OPENAI_API_KEY, or write a config."
        )
    return lines


def _key(admin: AdminKey) -> list[str]:
    if admin.is_new:
        return ["", f"  Your key (shown this once, kept in {admin.file}):", f"    {admin.key}"]
    if admin.is_from_variable:
        return [f"  Key:     the one in WICKET_ADMIN_KEY (also in {admin.file})"]
    return [f"  Key:     in {admin.file}"]


def _curl(config: Config, url: str, admin: AdminKey) -> list[str]:
    key = admin.key if admin.is_new else f'$(cat "{admin.file}")'
    model = example_model(config)
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
    return [
        f"curl {url}/v1/chat/completions \\",
        f'  -H "Authorization: Bearer {key}" \\',
        "  -H 'Content-Type: application/json' \\",
        f"  -d '{body}'",
    ]


def example_model(config: Config) -> str:
    """A model that a first request can name."""
    if compact_engine(config):
        return "mini"
    if config.models:
        return next(iter(config.models))
    provider = next(iter(config.providers.values()), None)
    return f"{provider.name}/{(provider.models or ('MODEL',))[0]}" if provider else "mini"


def engine_line(engine: Engine, readiness: Readiness, load_s: float) -> str:
    """How one local model is doing."""
    if readiness.state == "ready":
        return f"  {engine.deployment_id} is ready, in {load_s:.1f} s"
    if readiness.state == "failed":
        return f"  {engine.deployment_id} can't run: {readiness.message}"
    return f"  {engine.deployment_id} is loading …"


def describe_engine(engine: Engine) -> str:
    """One local model in words."""
    alias = ", also as mini" if engine.kind == "generation" and engine.name == "compact" else ""
    verb = "chat" if engine.kind == "generation" else "embeddings"
    return f"{engine.deployment_id} ({verb}{alias})"
