"""Errors as OpenAI's clients read them."""

import json

from wicket.dialects.openai_chat import fault_body, fault_frame
from wicket.errors import CallerFault, Fault


def test_a_fault_becomes_the_shape_that_openai_clients_read() -> None:
    fault = CallerFault("invalid_value", "'n' must be at least 1, not 0.", param="n")
    assert json.loads(fault_body(fault)) == {
        "error": {
            "message": "'n' must be at least 1, not 0.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_value",
        }
    }


def test_the_fields_are_there_even_when_empty() -> None:
    body = json.loads(fault_body(Fault("internal", "No.")))
    assert body["error"] == {"message": "No.", "type": "server_error", "param": None, "code": "internal"}


def test_in_a_stream_it_is_a_frame_without_an_end_mark() -> None:
    fault = Fault("cut", "It ended.")
    assert fault_frame(fault, "req_1") == b"data: " + fault_body(fault) + b"\n\n"
