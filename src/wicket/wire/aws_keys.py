"""What requests to AWS are signed with: a value that configuration makes and `upstream.sigv4` uses."""

from __future__ import annotations

import msgspec


class AwsKeys(msgspec.Struct, frozen=True, kw_only=True):
    """An access key, its secret, the token of temporary ones, and where they sign for. Never print one."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    region: str
    service: str = "bedrock"

    def __repr__(self) -> str:
        return f"AwsKeys({self.region!r}, {self.service!r})"
