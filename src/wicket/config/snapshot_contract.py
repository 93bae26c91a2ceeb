"""What a compiled configuration offers the gateway."""

from __future__ import annotations

from typing import Protocol

from wicket.routing.deployment import Route


class ModelEntry(Protocol):
    """A line of `GET /v1/models`."""

    id: str
    owned_by: str


class Routes(Protocol):
    """Frozen; swapped whole on reload."""

    version: int
    default_model: str  # what `mini` names; "" without a local engine

    def resolve(self, name: str) -> Route:
        """The route for a requested model name.

        Raises `UnknownModelFault` with near names, or, for a known model without a credential, with the
        variable to set and what works now.
        """
        ...

    def models(self) -> list[dict[str, object]]:
        """OpenAI's model objects, the local model first."""
        ...
