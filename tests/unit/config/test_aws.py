"""Access keys of AWS in the configuration: what they become, what is wrong with them; and none is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from wicket.config.load import parse, show
from wicket.config.schema import Config
from wicket.config.snapshot import compile_snapshot
from wicket.errors import ConfigFault

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE0000001",
    "AWS_SECRET_ACCESS_KEY": "a-secret-access-key-0123456789",
    "AWS_SESSION_TOKEN": "a-session-token-0123456789",
}
SIGNED = """
[providers.bedrock]
auth = "sigv4"
region = "eu-west-1"
access_key_id = "env:AWS_ACCESS_KEY_ID"
secret_access_key = "env:AWS_SECRET_ACCESS_KEY"
"""


def parsed(text: str, environ: Mapping[str, str] = ENVIRON) -> Config:
    return parse(text, environ, source="wicket.toml", base=Path("/"))


def mistakes(text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    with pytest.raises(ConfigFault) as caught:
        parsed(text, environ)
    return caught.value.message


@pytest.mark.parametrize("token", ["", ENVIRON["AWS_SESSION_TOKEN"]])
def test_keys_sign_and_stand_in_no_header(token: str) -> None:
    text = SIGNED + ('session_token = "env:AWS_SESSION_TOKEN"\n' if token else "")
    (deployment,) = (
        compile_snapshot(parsed(text), version=1, engine_sockets={}).resolve("bedrock/m").deployments
    )
    keys = deployment.aws
    assert keys is not None and deployment.headers == ()
    assert (keys.access_key_id, keys.secret_access_key, keys.session_token, keys.region, keys.service) == (
        ENVIRON["AWS_ACCESS_KEY_ID"], ENVIRON["AWS_SECRET_ACCESS_KEY"], token, "eu-west-1", "bedrock"
    )  # fmt: skip
    assert deployment.origin.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    shown = json.dumps(show(parsed(text)))
    assert not [secret for secret in ENVIRON.values() if secret in shown]


def test_a_bearer_works_as_before_and_aws_variables_mean_nothing_by_themselves() -> None:
    text = '[providers.bedrock]\nregion = "us-east-1"\n'
    config = parsed(text, {**ENVIRON, "AWS_BEARER_TOKEN_BEDROCK": "a-bearer"})
    (deployment,) = compile_snapshot(config, version=1, engine_sockets={}).resolve("bedrock/m").deployments
    assert deployment.aws is None and deployment.headers == (("authorization", "Bearer a-bearer"),)
    assert "AWS_BEARER_TOKEN_BEDROCK" in mistakes(text)
    assert "providers.bedrock.secret_access_key: is needed to sign" in mistakes(text + 'auth = "sigv4"\n')


def test_the_region_is_the_host_s_or_must_be_written() -> None:
    keys = SIGNED.replace('region = "eu-west-1"\n', "")
    host = 'base_url = "https://vpce-1.bedrock-runtime.ap-south-1.vpce.amazonaws.com"\n'
    (deployment,) = (
        compile_snapshot(parsed(keys + host), version=1, engine_sockets={}).resolve("bedrock/m").deployments
    )
    assert deployment.aws is not None and deployment.aws.region == "ap-south-1"
    assert "region: is needed" in mistakes(keys + 'base_url = "https://proxy.example"\n')


def test_what_does_not_belong_together_is_told() -> None:
    assert "api_key: is not for auth" in mistakes(SIGNED + 'api_key = "k"\n')
    unsigned = SIGNED.replace('auth = "sigv4"\n', 'api_key = "k"\n')
    assert 'access_key_id: is for auth = "sigv4" only' in mistakes(unsigned)
    found = mistakes(SIGNED, {})
    assert "AWS_ACCESS_KEY_ID is not set" in found and "AWS_SECRET_ACCESS_KEY is not set" in found
    config = parsed(SIGNED + "optional = true\n", {})
    assert config.providers == {} and "AWS_ACCESS_KEY_ID" in config.warnings[0]
