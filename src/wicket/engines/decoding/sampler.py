"""Draw the next token from a row of logits, in numpy.

Order of operations: constraint mask, bias and penalties, temperature, top-k, min-p, top-p. Penalties as
OpenAI (presence, frequency: over drawn tokens, https://platform.openai.com/docs/api-reference/chat/create)
and CTRL (repetition: over prompt and drawn tokens, https://arxiv.org/abs/1909.05858) define them; min-p:
https://arxiv.org/abs/2407.01082. Log-probabilities are those of the model, before any of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wicket.engines.contract import Sampling, TokenLogprob

Row = NDArray[np.float32]

# Candidates that are sorted at first when top-p asks for an order; nearly always enough.
FIRST_CANDIDATES = 1024


class Sampler:
    """One generation's draws: its random numbers and the tokens it has seen."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self.sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))
        self._prompt = np.unique(np.asarray(prompt, dtype=np.int64))
        self._drawn: Counter[int] = Counter()

    def draw(self, logits: Row, allowed: NDArray[np.bool_] | None = None) -> int:
        """The next token; `allowed` marks the tokens a constraint admits. `logits` stays as it is."""
        row = logits
        if allowed is not None or self._changes_logits():
            row = logits.astype(np.float32, copy=True)
            self._change(row)
            if allowed is not None:
                row[: len(allowed)][~allowed[: len(row)]] = -np.inf
                row[len(allowed) :] = -np.inf
        if self.sampling.temperature == 0:
            return int(row.argmax())
        return self._pick(row)

    def note(self, token: int) -> None:
        """Remember a drawn token for the penalties."""
        self._drawn[token] += 1

    def _changes_logits(self) -> bool:
        s = self.sampling
        return bool(s.logit_bias) or (
            s.repetition_penalty != 1 or s.presence_penalty != 0 or s.frequency_penalty != 0
        )

    def _change(self, row: Row) -> None:
        s = self.sampling
        drawn = np.fromiter(self._drawn, dtype=np.int64, count=len(self._drawn))
        if s.repetition_penalty != 1:
            seen = np.union1d(self._prompt, drawn)
            values = row[seen]
            row[seen] = np.where(values > 0, values / s.repetition_penalty, values * s.repetition_penalty)
        if len(drawn) and (s.presence_penalty or s.frequency_penalty):
            counts = np.fromiter(self._drawn.values(), dtype=np.float32, count=len(drawn))
            row[drawn] -= s.presence_penalty + s.frequency_penalty * counts
        for token, bias in s.logit_bias.items():
            if 0 <= token < len(row):
                row[token] += bias

    def _pick(self, row: Row) -> int:
        s = self.sampling
        limit = s.top_k if 0 < s.top_k < len(row) else len(row)
        if limit == len(row) and s.top_p >= 1 and s.min_p <= 0:
            weights = np.exp((row.astype(np.float64) - row.max()) / s.temperature)
            return self._by_weight(np.cumsum(weights))
        # A wide top-p rarely needs the tail: sort a slice, and all of it only if the slice is too thin.
        for count in (min(limit, FIRST_CANDIDATES), limit):
            best = _largest(row, count)
            scaled = (row[best].astype(np.float64) - row[best[0]]) / s.temperature
            weights = np.exp(scaled)
            whole = weights.sum() if limit < len(row) else _total(row, s.temperature)
            keep = self._filtered(weights, whole)
            if keep is not None or count == limit:
                break
        weights = weights[: len(weights) if keep is None else keep]
        return int(best[self._by_weight(np.cumsum(weights))])

    def _filtered(self, weights: NDArray[np.float64], whole: float) -> int | None:
        """How many of the sorted candidates stay; None if more than these may."""
        s = self.sampling
        keep = len(weights)
        decided = False
        if s.min_p > 0:
            above = int((weights >= s.min_p * weights[0]).sum())
            decided = above < keep
            keep, whole = max(1, above), float(weights[:above].sum()) if decided else whole
        if s.top_p < 1:
            before = np.cumsum(weights[:keep]) - weights[:keep]
            within = max(1, int((before < s.top_p * whole).sum()))
            decided = decided or within < keep
            keep = min(keep, within)
        return keep if decided else None

    def _by_weight(self, running_total: NDArray[np.float64]) -> int:
        point = self._random.random() * running_total[-1]
        return min(int(np.searchsorted(running_total, point, side="right")), len(running_total) - 1)


def _largest(row: Row, count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest values, largest first; equal values in index order."""
    if count < len(row):
        # Ties at the edge are cut arbitrarily by partition, so order what it gives by index first.
        chosen = np.sort(np.argpartition(row, len(row) - count)[len(row) - count :])
    else:
        chosen = np.arange(len(row))
    order: NDArray[np.int64] = chosen[np.argsort(-row[chosen], kind="stable")]
    return order


def _total(row: Row, temperature: float) -> float:
    return float(np.exp((row.astype(np.float64) - row.max()) / temperature).sum())


def log_normaliser(row: Row) -> float:
    """The natural logarithm of the sum of exponentials of a row."""
    top = float(row.max())
    return top + float(np.log(np.exp(row - top, dtype=np.float32).sum(dtype=np.float64)))


def logprob_of(row: Row, token: int, num_top: int) -> TokenLogprob:
    """The model's log-probability of `token` and of the `num_top` likeliest tokens."""
    normaliser = log_normaliser(row)
    top: list[tuple[int, float]] = []
    if num_top:
        best = _largest(row, min(num_top, len(row)))
        top = [(int(index), float(row[index]) - normaliser) for index in best]
    return TokenLogprob(token, float(row[token]) - normaliser, top)
