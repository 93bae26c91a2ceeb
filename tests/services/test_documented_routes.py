"""Schemathesis against every route that /openapi.json documents, on a real server."""

import time

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import load_all_checks
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.path.house import Gateway

pytestmark = pytest.mark.services
# The tests of the command line ask these: they write where they are told, end workers, or never end.
ELSEWHERE = {"/admin/v1/restart", "/admin/v1/backup", "/admin/v1/config/reload"}
LIMIT_S = 240  # passwords are hashed for real


def operations(gateway: Gateway) -> list[APIOperation]:
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 10
    return [operation for operation in found if operation.path not in ELSEWHERE]


def test_every_documented_route_keeps_its_promises(gateway: Gateway) -> None:
    load_all_checks()
    began = time.monotonic()
    for operation in operations(gateway):
        try_out(gateway, operation)
    assert time.monotonic() - began < LIMIT_S


def try_out(gateway: Gateway, operation: APIOperation) -> None:
    """Good and bad input of all kinds: the status, the headers and the body must be documented ones."""

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def each(case: Case) -> None:
        if case.query and "follow" in case.query:
            case.query.pop("follow")  # that answer has no end
        sent = {"authorization": f"Bearer {gateway.key}"}
        answer = case.call(base_url=gateway.url, headers=sent, timeout=20)
        # Our key is not one that it made, so it would take every success for a hole; and a schema can't say
        # everything that a name may not contain.
        case.validate_response(answer, excluded_checks=[ignored_auth, positive_data_acceptance])

    each()
