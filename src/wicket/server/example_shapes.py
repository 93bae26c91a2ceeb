"""An example as people, programs and the training see it: OpenAI's chat messages, the right answer last."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.accounts.example import Example, Feedback
from wicket.accounts.request_ids import format_id
from wicket.server.admin_shapes import iso
from wicket.wire.json import decode

_BESIDE = ("tools", "response_format")  # what of a request a training needs besides its messages


def example_json(row: Any) -> dict[str, Any]:
    """One row of the verb `examples.page`. A correction stands in the logged answer's place, and says so."""
    example = msgspec.convert(row[0], Example)
    said = None if row[1] is None else msgspec.convert(row[1], Feedback)
    request, answer = decode(example.request), decode(example.answer)
    is_corrected = said is not None and bool(said.corrected)
    if said is not None and said.corrected:
        answer = {"role": "assistant", "content": said.corrected}
    return {
        "messages": [*request["messages"], answer],
        **{name: request[name] for name in _BESIDE if request.get(name)},
        "meta": {
            "id": format_id(example.id),
            "at": iso(example.started_ms),
            "task": example.task,
            "model": example.model,
            "deployment": example.deployment,
            "key": row[2],
            "corrected": is_corrected,
            "score": said.score if said is not None and said.score >= 0 else None,
            "confidence": example.confidence if example.confidence >= 0 else None,
            "source": "corrected" if is_corrected else "logged",
        },
    }
