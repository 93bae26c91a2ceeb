"""Bytes per token, learned per model: what stands in for usage that a provider does not report."""

from __future__ import annotations

from wicket.accounts.record import Usage

_UNKNOWN_BYTES, _UNKNOWN_TOKENS = 4, 1  # English prose; replaced by the first report
_MEMORY = 32  # a report weighs 1/32: the last hundred or so decide
_MAX_MODELS = 4_096
TYPICAL_OUTPUT_TOKENS = 500  # of an answer by a model that has not answered yet


class TokenRates:
    """An exponentially weighted ratio of sums, in whole numbers; one for inputs and one for outputs.

    Holds at most 4,096 models; the one learned first makes room.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}

    def learn(self, model: str, num_bytes: int, num_tokens: int) -> None:
        """A provider's own report for so many bytes; reports without bytes or tokens teach nothing."""
        if num_bytes <= 0 or num_tokens <= 0:
            return
        seen_bytes, seen_tokens = self._sums.get(model, (0, 0))
        if not seen_tokens and len(self._sums) >= _MAX_MODELS:
            del self._sums[next(iter(self._sums))]
        self._sums[model] = (
            seen_bytes - seen_bytes // _MEMORY + num_bytes,
            seen_tokens - seen_tokens // _MEMORY + num_tokens,
        )

    def estimate(self, model: str, num_bytes: int) -> int:
        """Tokens in so many bytes, rounded up; four bytes a token while nothing is known."""
        seen_bytes, seen_tokens = self._sums.get(model, (_UNKNOWN_BYTES, _UNKNOWN_TOKENS))
        return -(-max(0, num_bytes) * seen_tokens // seen_bytes)

    def nearest(self, model: str, num_bytes: int) -> int:
        """As `estimate`, but to the nearest number: for sums that must lean to neither side."""
        seen_bytes, seen_tokens = self._sums.get(model, (_UNKNOWN_BYTES, _UNKNOWN_TOKENS))
        return (2 * max(0, num_bytes) * seen_tokens + seen_bytes) // (2 * seen_bytes)


def estimated_usage(inputs: TokenRates, outputs: TokenRates, model: str, num_bytes: tuple[int, int]) -> Usage:
    """Usage made from (request bytes, answer bytes), marked as estimated."""
    return Usage(
        input_tokens=inputs.estimate(model, num_bytes[0]),
        output_tokens=outputs.estimate(model, num_bytes[1]),
        is_estimated=True,
    )


class OutputSizes:
    """How many tokens the answers of each model have, as a moving average; the last thirty or so decide.

    Holds at most 4,096 models; the one learned first makes room.
    """

    def __init__(self) -> None:
        self._scaled: dict[str, int] = {}  # times `_MEMORY`

    def learn(self, model: str, num_tokens: int) -> None:
        """An answer had so many tokens."""
        known = self._scaled.get(model)
        if known is None:
            if len(self._scaled) >= _MAX_MODELS:
                del self._scaled[next(iter(self._scaled))]
            self._scaled[model] = num_tokens * _MEMORY
        else:
            self._scaled[model] = known - known // _MEMORY + num_tokens

    def expect(self, model: str) -> int:
        """So many tokens, rounded up; `TYPICAL_OUTPUT_TOKENS` while nothing is known."""
        known = self._scaled.get(model)
        return TYPICAL_OUTPUT_TOKENS if known is None else -(-known // _MEMORY)
