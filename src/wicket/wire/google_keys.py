"""What Google's access tokens are asked for with: a value that configuration makes."""

from __future__ import annotations

from typing import Literal

import msgspec

from wicket.wire.origin import Origin


class GoogleKeys(msgspec.Struct, frozen=True, kw_only=True):
    """A credential of Google's, by `kind`, and the token endpoint it is taken to. Never print one.

    "service_account" has an RSA key that signs (PEM, PKCS #8), "authorized_user" what
    `gcloud auth application-default login` left behind, "metadata" nothing: the machine's own identity.
    `audience` is the endpoint's address as it is signed; `quota_project` who is charged, "" for its own.
    """

    kind: Literal["service_account", "authorized_user", "metadata"]
    origin: Origin
    target: str
    audience: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    quota_project: str = ""

    def __repr__(self) -> str:
        return f"GoogleKeys({self.kind!r}, {self.origin.host!r})"
