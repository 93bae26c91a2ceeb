"""The paths that exist, and what a caller who missed them is told."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from functools import cache

from wicket.config.check import known_dialects
from wicket.dialects.contract import Api, Way
from wicket.dialects.openai_chat import CHAT
from wicket.dialects.translation import doors_of
from wicket.errors import CallerFault

ALIAS = "/openai"  # `/openai/v1/…` answers as `/v1/…` does
COLD_PATHS = (
    "/v1/models",
    "/v1/models/{id}",
    "/v1beta/models",
    "/v1beta/models/{id}",
    "/v1/key",
    "/v1/requests/{id}",
    "/v1/cost/estimate",
    "/v1/feedback",
    "/auth/v1/state",
    "/auth/v1/sign-up",
    "/auth/v1/sign-in",
    "/auth/v1/organisation",
    "/auth/v1/join",
    "/auth/v1/sign-out",
    "/auth/v1/session",
    "/auth/v1/sessions",
    "/auth/v1/sessions/{id}",
    "/auth/v1/password",
    "/auth/v1/playground-key",
    "/auth/v1/oidc/{name}/start",
    "/auth/v1/oidc/{name}/callback",
    "/v1/responses/{id}",
    "/v1/responses/{id}/cancel",
    "/v1/responses/{id}/input_items",
    "/v1/files",
    "/v1/files/{id}",
    "/v1/files/{id}/content",
    "/v1/batches",
    "/v1/batches/{id}",
    "/v1/batches/{id}/cancel",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
)
ADMIN_PATHS = (
    "/admin/v1/keys",
    "/admin/v1/keys/{id}",
    "/admin/v1/limits",
    "/admin/v1/limits/{id}",
    "/admin/v1/budgets",
    "/admin/v1/budgets/{id}",
    "/admin/v1/keys/{id}/rotate",
    "/admin/v1/organisations",
    "/admin/v1/organisations/{id}",
    "/admin/v1/teams",
    "/admin/v1/teams/{id}",
    "/admin/v1/teams/{team}/members",
    "/admin/v1/teams/{team}/members/{user}",
    "/admin/v1/users",
    "/admin/v1/users/{id}",
    "/admin/v1/users/{id}/password",
    "/admin/v1/invitations",
    "/admin/v1/invitations/{id}",
    "/admin/v1/audit",
    "/admin/v1/savings",
    "/admin/v1/statements/{month}",
    "/admin/v1/usage",
    "/admin/v1/logs",
    "/admin/v1/examples",
    "/admin/v1/tasks",
    "/admin/v1/providers",
    "/admin/v1/credentials/{provider}",
    "/admin/v1/status",
    "/admin/v1/config",
    "/admin/v1/config/reload",
    "/admin/v1/backup",
    "/admin/v1/restart",
    "/admin/v1/credits",
    "/admin/v1/credits/refund",
    "/admin/v1/credits/threshold",
    "/admin/v1/transfers",
    "/admin/v1/ledger/accounts",
    "/admin/v1/ledger/verify",
)
_MAX_SHOWN = 80


@cache
def inference_doors() -> dict[str, tuple[Api, Way]]:
    """The ways into every API of every dialect that is heard, by path, OpenAI's first.

    Of several paths that mean the same the first is listed: `/openai/v1/…` answers as `/v1/…` does, Gemini's
    `/v1/models/…` as its `/v1beta/models/…`.
    """
    found: dict[str, tuple[Api, Way]] = {}
    for name in sorted(known_dialects(), key=lambda name: name != CHAT.dialect):
        ways: dict[tuple[str, bool | None], tuple[Api, Way]] = {}
        for api, way in doors_of(name):
            ways.setdefault((api.name, way.is_streamed), (api, way))
        found |= {way.path: (api, way) for api, way in ways.values()}
    return found


def inference_paths() -> tuple[str, ...]:
    """Their paths."""
    return tuple(inference_doors())


def all_paths() -> tuple[str, ...]:
    """Every path that there is, each once."""
    return inference_paths() + COLD_PATHS + ADMIN_PATHS


def unknown_path(path: str) -> CallerFault:
    """A 404 that names the near path, or else all the callers' paths."""
    shown = path if len(path) <= _MAX_SHOWN else path[:_MAX_SHOWN] + "…"
    near = _nearest(path)
    if near:
        hint = f"Did you mean {near}?"
    else:
        hint = f"There are {', '.join(inference_paths() + COLD_PATHS)}, and those under /admin/v1."
    return CallerFault("unknown_path", f"There is nothing at {shown!r}. {hint}", status=404)


def wrong_method(method: str, allowed: Collection[str]) -> CallerFault:
    """A 405; the answer must carry `Allow` (RFC 9110 §15.5.6)."""
    shown = method if len(method) <= _MAX_SHOWN else "This method"
    return CallerFault(
        "method_not_allowed", f"{shown} is not possible here; use {allow(allowed)}.", status=405
    )


def allow(allowed: Collection[str]) -> str:
    """The `Allow` header's value."""
    return ", ".join(sorted(allowed))


def _nearest(path: str) -> str:
    """The existing path behind a missing or doubled `/v1`, a trailing slash or a slip of the finger."""
    bare = path[:_MAX_SHOWN].rstrip("/").removeprefix(ALIAS)
    while bare.startswith("/v1/v1/"):
        bare = bare[3:]
    for candidate in (bare, "/v1" + bare, "/admin" + bare):
        if candidate in all_paths():
            return candidate
    close = get_close_matches(bare, all_paths(), n=1, cutoff=0.75)
    return close[0] if close else ""
