"""Schemathesis against every route that /openapi.json documents, on a real server."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.path.house import Gateway

pytestmark = pytest.mark.services
# The tests of the command line ask these: they write where they are told, end workers, or never end.
ELSEWHERE = {"/admin/v1/restart", "/admin/v1/backup", "/admin/v1/config/reload"}
TRANSLATED = ("/v1/messages", "/v1/responses", "/v1beta/models/", "/v2/chat")
MODEL = "mine/plain"
CONVERSATIONS = {"/v1/messages", "/v1/responses", "/v2/chat"}  # of which some must come to an answer


def operations(gateway: Gateway) -> list[APIOperation]:
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 10
    return [operation for operation in found if operation.path not in ELSEWHERE]


def test_every_documented_route_keeps_its_promises(gateway: Gateway) -> None:
    load_all_checks()
    answered = {operation.path: try_out(gateway, operation) for operation in operations(gateway)}
    assert {path for path, num_answers in answered.items() if num_answers} >= CONVERSATIONS


KEPT = ("/v1/responses/", "/v1/files", "/v1/batches")
STORAGE = """
[server]
port = 0
workers = 1
[storage]
responses = "{mode}"
files = "local"
batches = "local"
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
"""


@pytest.mark.parametrize("mode", ["local", "provider"])
def test_the_routes_of_kept_things_where_there_are_some(tmp_path: Path, mode: str) -> None:
    load_all_checks()
    served = Gateway(tmp_path, STORAGE.format(mode=mode)).wait_ready()
    try:
        for operation in operations(served):
            if operation.path.startswith(KEPT) and "input_tokens" not in operation.path:
                try_out(served, operation)
        assert "Traceback" not in served.heard()
    finally:
        served.close()


def _name_a_model(case: Case) -> None:
    """A model that answers, where all else is as the schema wants it: so the request is translated and sent.

    Only for dialects that the provider behind it does not speak: in its own, bytes pass unread.
    """
    is_good = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if not is_good or not case.operation.path.startswith(TRANSLATED):
        return
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = MODEL
    if "model" in (case.path_parameters or {}):
        case.path_parameters["model"] = MODEL


def try_out(gateway: Gateway, operation: APIOperation) -> int:
    """Good and bad input of all kinds: the status, the headers and the body must be documented ones.

    Returns how many requests were answered.
    """
    statuses: list[int] = []

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
        _name_a_model(case)
        answer = case.call(base_url=gateway.url, headers=sent, timeout=20)
        statuses.append(answer.status_code)
        # Our key is not one that it made, so it would take every success for a hole; and a schema can't say
        # everything that a name may not contain.
        case.validate_response(answer, excluded_checks=[ignored_auth, positive_data_acceptance])

    each()
    return statuses.count(200)
