"""How much a request may use at most, before anybody is asked: tokens, and what they may be charged. Pure.

Input is bounded by its bytes, output by the caller's limit or by one of ours; the price is the dearest of the
plan, with its markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wicket.accounts.cost import PPM, bound_cost_nanos, bound_input_tokens
from wicket.accounts.price import Price
from wicket.gateway.call import Call
from wicket.gateway.crossing import hearing
from wicket.routing.deployment import Deployment

UNSAID_TOKENS = 4_096  # held for an answer whose caller sets no limit, or a sixteenth of what there is
SHARE = 16
LEAST_TOKENS = 16  # no answer is made shorter than this
REFERENCE_TOKENS = 16_384  # for each image or file that is not in the request but named by it
_REFERENCE = re.compile(
    rb'"(?:url|image_url|file_url)"\s*:\s*"(?:https?|gs|s3):|"(?:file_id|file_uri|fileUri)"\s*:'
)
_CONTENTS = ("messages", "input", "contents")

Priced = tuple[Price, int]  # and its markup in parts per million


class Bound:
    """What a call may use. `output` is each answer's limit, 0 if the caller has none; `num` are answers."""

    __slots__ = ("input", "most", "num", "output", "prices")

    def __init__(self, call: Call, plan: Sequence[Deployment], prices: Sequence[Priced]) -> None:
        voice = hearing(call.api.dialect)
        ask = getattr(voice, "output_limit", None)
        said: tuple[int, int] = ask(call.fields, call.api) if ask is not None else (0, 1)
        self.output, self.num = said
        self.prices = prices
        most = context = 0
        for one in plan:
            if not one.max_output_tokens:
                most = -1
            elif most >= 0 and one.max_output_tokens > most:
                most = one.max_output_tokens
            if not one.context_tokens:
                context = -1
            elif context >= 0 and one.context_tokens > context:
                context = one.context_tokens
        self.most = max(0, most)  # the longest answer that any of them gives, 0 if that is not known
        tokens = bound_input_tokens(call.body_bytes) + _referenced(call)
        self.input = min(tokens, context) if context > 0 else tokens

    def tokens(self, output: int) -> int:
        """Input and output together."""
        return self.input + output * self.num

    def nanos(self, output: int) -> int:
        """The most that can be charged for answers of up to `output` tokens, in nano-USD."""
        found, tokens = 0, output * self.num
        for price, markup_ppm in self.prices:
            cost = bound_cost_nanos(price, self.input, tokens)
            if markup_ppm:
                cost = -(-cost * (PPM + markup_ppm) // PPM)
            if cost > found:
                found = cost
        return found

    def stated(self, output: int) -> int:
        """A caller's limit, as far as anybody writes that much."""
        return min(output, self.most) if self.most else output

    def unsaid(self, available_nanos: int | None) -> int:
        """How many tokens are held for each answer where the caller says nothing.

        The models' own limit where that is small or a sixteenth of what is available pays for it; else what
        a sixteenth pays for, and at least `UNSAID_TOKENS`.
        """
        if not self.num:
            return 0
        if self.most and self.most <= UNSAID_TOKENS:
            return self.most
        if available_nanos is None:
            return UNSAID_TOKENS
        budget = available_nanos // SHARE
        if self.most and self.nanos(self.most) <= budget:
            return self.most
        nothing, some = self.nanos(0), self.nanos(UNSAID_TOKENS)
        if some >= budget or some == nothing:
            return UNSAID_TOKENS
        found = (budget - nothing) * UNSAID_TOKENS // (some - nothing)
        return max(UNSAID_TOKENS, min(found, self.most) if self.most else found)

    def affordable(self, nanos: int, output: int) -> int:
        """The longest answers, up to `output` tokens, that so much pays for; `LEAST_TOKENS` at least."""
        low, high = min(LEAST_TOKENS, output), output
        while low < high:
            middle = (low + high + 1) // 2
            if self.nanos(middle) <= nanos:
                low = middle
            else:
                high = middle - 1
        return low


def _referenced(call: Call) -> int:
    """Tokens for what the request names and does not hold."""
    for name in _CONTENTS:
        raw = call.fields.get(name)
        if raw is not None:
            text = bytes(raw)
            if b'url"' in text or b'_id"' in text or b'ri"' in text:
                return REFERENCE_TOKENS * sum(1 for _ in _REFERENCE.finditer(text))
    return 0
