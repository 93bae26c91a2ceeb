"""The same server and provider as the tests of the path have."""

from tests.path.conftest import gateway, one_gateway, one_provider, open_gateway, provider

__all__ = ["gateway", "one_gateway", "one_provider", "open_gateway", "provider"]
