"""Schemas as masks: what passes is valid JSON of the schema, what costs too much is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.engines import checkpoints
from wicket.engines.checkpoints.gguf import Value
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.engines.checkpoints.tokenizer_gguf import gguf_tokenizer
from wicket.engines.decoding.constrain import MAX_SCHEMA_BYTES, Constrainer, Constraint, InvalidSchema

METADATA: dict[str, Value] = checkpoints.gguf_metadata()  # type: ignore[assignment]
END = 261


@pytest.fixture
def made() -> Iterator[tuple[Tokenizer, Constrainer]]:
    tok = gguf_tokenizer(METADATA)
    constrainer = Constrainer(tok, tok.vocab_size)
    yield tok, constrainer
    constrainer.close()


def walk(constraint: Constraint, seed: int) -> list[int]:
    """Any admitted token, again and again, the end as soon as it is admitted."""
    draw = random.Random(seed)
    tokens: list[int] = []
    while not constraint.is_complete:
        allowed = [int(index) for index in constraint.allowed().nonzero()[0]]
        assert allowed
        if END in allowed:
            break
        tokens.append(draw.choice(allowed))
        constraint.consume(tokens[-1])
        assert len(tokens) < 500
    return tokens


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
        "size": {"enum": ["small", "large"]},
        "is_old": {"type": "boolean"},
    },
    "required": ["city", "size", "is_old"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("seed", range(5))
def test_what_is_admitted_is_valid(made: tuple[Tokenizer, Constrainer], seed: int) -> None:
    tok, constrainer = made
    text = tok.decode(walk(constrainer.start(json.dumps(SCHEMA)).result(timeout=30), seed))
    value = json.loads(text)
    assert set(value) == {"city", "size", "is_old"}
    assert value["city"].islower() and len(value["city"]) <= 5
    assert value["size"] in ("small", "large") and isinstance(value["is_old"], bool)


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[1]",
        '{"type": "nonsense"}',
        '{"$ref": "http://example.com/schema"}',
        '{"type": "string", "description": "' + "x" * MAX_SCHEMA_BYTES + '"}',
        # The intersection of these has more states than are allowed for.
        json.dumps({"allOf": [{"type": "string", "pattern": f"^.*{c * 3}.*$"} for c in "abcdefghij"]}),
        "[" * 5000,
        '{"not": ' * 3000 + "{}" + "}" * 3000,
    ],
)
def test_bad_and_costly_schemas_are_refused(made: tuple[Tokenizer, Constrainer], schema: str) -> None:
    with pytest.raises(InvalidSchema):
        walk(made[1].start(schema).result(timeout=30), 0)
