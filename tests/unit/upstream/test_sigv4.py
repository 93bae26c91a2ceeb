"""Signature Version 4, against the vectors that AWS publishes with its own implementation.

Source: awslabs/aws-c-auth, tests/aws-signing-test-suite/v4 (Apache-2.0): requests and signatures.
"""

from __future__ import annotations

from typing import Any

import pytest

from wicket.upstream.sigv4 import signed_headers
from wicket.wire.aws_keys import AwsKeys

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # AWS's example
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
UNIX_S = 1_440_938_160  # 2015-08-30T12:36:00Z
HOST = {"Host": "example.amazonaws.com"}
FORM = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
UNRESERVED = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def keys(token: str = "") -> AwsKeys:
    return AwsKeys(
        access_key_id="AKIDEXAMPLE",
        secret_access_key=SECRET,
        session_token=token,
        region="us-east-1",
        service="service",
    )


VECTORS: dict[str, tuple[str, str, dict[str, str], bytes, str]] = {
    "get-vanilla": (
        "GET", "/", HOST, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    ),
    "post-vanilla": (
        "POST", "/", HOST, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    ),
    "get-utf8": ("GET", "/ሴ", HOST, b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-unreserved": (
        "GET", UNRESERVED, HOST, b"", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"
    ),
    "get-vanilla-query-order-key-case": (
        "GET", "/?Param2=value2&Param1=value1", HOST, b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-encoded": (
        "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", HOST, b"",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-header-value-trim": (
        "GET", "/", {**HOST, "My-Header1": " value1", "My-Header2": ' "a   b   c"'}, b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-header-key-sort": (
        "POST", "/", {**HOST, "My-Header1": "value1"}, b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-x-www-form-urlencoded": (
        "POST", "/",
        {"Content-Type": "application/x-www-form-urlencoded", **HOST, "Content-Length": "13",
         "x-amz-content-sha256": FORM},
        b"Param1=value1",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "target", "headers", "body", "signature"), VECTORS.values(), ids=VECTORS)
def test_a_published_request_gets_its_published_signature(
    method: str, target: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    found = dict(signed_headers(method, target, headers, body, keys(), UNIX_S))
    names = ";".join(sorted([*(name.lower() for name in headers), "x-amz-date"]))
    assert found == {
        "x-amz-date": "20150830T123600Z",
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
            f" SignedHeaders={names}, Signature={signature}"
        ),
    }


def test_a_session_token_is_sent_and_signed() -> None:
    found = dict(signed_headers("GET", "/", HOST, b"", keys(TOKEN), UNIX_S))
    assert found["x-amz-security-token"] == TOKEN
    assert found["authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token,"
        " Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_a_models_escaped_id_is_escaped_once_more_as_aws_wants_it() -> None:
    """The signature is what botocore 1.43.11 makes of the same request."""
    found = sign_converse(b'{"messages":[]}')
    assert found == "40e0b26f1b49e01d3cb4489d545a017251c1f00bc991acaa05d0e1c46df51ec8"


def sign_converse(body: bytes) -> str:
    headers = {"host": "bedrock-runtime.us-east-1.amazonaws.com", "content-type": "application/json"}
    aws: Any = AwsKeys(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, region="us-east-1")
    target = "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse"
    found = dict(signed_headers("POST", target, headers, body, aws, UNIX_S))
    return found["authorization"].rpartition("=")[2]


def test_every_part_of_a_request_counts() -> None:
    assert sign_converse(b"{}") != sign_converse(b"{ }")
    assert SECRET not in repr(keys(TOKEN)) and TOKEN not in repr(keys(TOKEN))
