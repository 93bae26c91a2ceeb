"""The administration of providers: who is known and configured, and their keys, which are never shown.

Verbs: `providers.list` → `{"data", "is_file_in_force"}` · `credentials.put` provider, key → the provider ·
`credentials.remove` provider → a document.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.responses import Response

from wicket.server.admin_query import read_body
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes

_PRIVATE = {"cache-control": "no-store"}


class NewCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's key. `repr` hides it."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]

    def __repr__(self) -> str:
        return "NewCredential()"


async def list_providers(call: Call) -> Response:
    """`GET /admin/v1/providers`: configured ones first, then all others of the catalogue."""
    return _json({"object": "list", **await call.ask("providers.list")})


async def put_credential(call: Call) -> Response:
    """`PUT /admin/v1/credentials/PROVIDER`: in force at once; the key can't be read back."""
    new = await read_body(call.request, NewCredential)
    provider = call.request.path_params["provider"]
    return _json(await call.ask("credentials.put", {"provider": provider, "key": new.key}))


async def remove_credential(call: Call) -> Response:
    """`DELETE /admin/v1/credentials/PROVIDER`: what the environment or the file says counts again."""
    return _json(await call.ask("credentials.remove", {"provider": call.request.path_params["provider"]}))


ROUTES: Routes = [
    ("/admin/v1/providers", "admin", {"GET": list_providers}),
    ("/admin/v1/credentials/{provider}", "admin", {"PUT": put_credential, "DELETE": remove_credential}),
]
