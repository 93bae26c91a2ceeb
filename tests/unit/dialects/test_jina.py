"""Answers of servers that rank in Jina's way, in the forms that their references show."""

import msgspec
import pytest

from wicket.dialects import jina
from wicket.dialects.contract import Counts
from wicket.dialects.subjects import Documents

RESULT = {"index": 1, "relevance_score": 0.5}
# docs.fireworks.ai/api-reference/rerank-documents; docs.siliconflow.com/en/api-reference/rerank/create-rerank
# and what its server answers beside that; read 2026-11-27
FORMS = {
    "jina": ({"results": [RESULT], "usage": {"total_tokens": 7}}, Counts(7)),
    "fireworks": (
        {
            "object": "list",
            "model": "m",
            "data": [RESULT | {"document": "b"}],
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        },
        Counts(7),
    ),
    "siliconflow": (
        {
            "id": "1",
            "results": [RESULT | {"document": {"text": "b"}}],
            "tokens": {"input_tokens": 7, "output_tokens": 0},
        },
        Counts(7),
    ),
    "siliconflow's meta": (
        {"results": [RESULT], "meta": {"tokens": {"input_tokens": 7, "output_tokens": 0}}},
        Counts(7),
    ),
    "nothing": ({"results": [RESULT], "tokens": 3, "meta": ["x"]}, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_ranked_and_how_much_was_read(form: str) -> None:
    answer, counts = FORMS[form]
    ask = Documents(query="q", documents=[msgspec.Raw(b'"a"'), msgspec.Raw(b'"b"')])
    data = msgspec.json.encode(answer)
    found = jina.read_ranking(data, ask)
    assert [(one.index, bytes(one.score)) for one in found.results] == [(1, b"0.5")]
    assert found.counts == counts == jina.whole(data, jina.RERANK).counts
