"""How much a request may use at most, before anybody is asked: tokens, and what they may be charged. Pure.

Input is bounded by its bytes, output by the caller's limit or by one of ours; the price is the dearest of the
plan, with its markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from wicket.accounts.cost import PPM, bound_cost_nanos, bound_fees_nanos, bound_input_tokens
from wicket.accounts.price import Price
from wicket.accounts.record import OtherUsage
from wicket.dialects.contract import Api
from wicket.gateway.call import Call
from wicket.gateway.crossing import hearing
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields

UNSAID_TOKENS = 4_096  # held for an answer whose caller sets no limit, or a sixteenth of what there is
SHARE = 16
LEAST_TOKENS = 16  # no answer is made shorter than this
FORM_BYTES = 4_096  # of a form: so many bytes may be text, the rest is pictures or sound
BYTES_PER_TOKEN = 16  # at least, in those
BYTES_PER_MS = 2  # of sound, at least: 16 kbit/s
_ONE_OF_EACH = OtherUsage(images=1, audio_ms=1_000, characters=1_000, searches=1)
REFERENCE_TOKENS = 16_384  # for each image or file that is not in the request but named by it
_REFERENCE = re.compile(
    rb'"(?:url|image_url|file_url)"\s*:\s*"(?:https?|gs|s3):|"(?:file_id|file_uri|fileUri)"\s*:'
)
_CONTENTS = (("messages", b'"type"'), ("input", b'"type"'), ("contents", b'"file'))  # and what parts have

Priced = tuple[Price, int]  # and its markup in parts per million
Ask = Callable[[Fields, Api], tuple[int, int]]


class Terms:
    """What is known of a plan before any request of it: what its deployments charge, and how much they take.

    `most` is the longest answer of any, `context` the largest; 0 if that is not known of one of them. Without
    any of `fields` a request has `num` answers and says nothing of their length.
    """

    __slots__ = ("ask", "context", "fields", "is_paid", "most", "num", "plan", "price", "prices", "with_fees")

    def __init__(self, plan: Sequence[Deployment], api: Api, prices: Sequence[Priced]) -> None:
        voice = hearing(api.dialect)
        self.plan = plan
        self.prices = prices
        self.price = prices[0][0] if len(prices) == 1 and not prices[0][1] else None
        self.ask: Ask = getattr(voice, "output_limit", _unlimited)
        self.fields: frozenset[str] = getattr(voice, "OUTPUT_FIELDS", frozenset())
        self.num = self.ask({}, api)[1]
        mosts = [one.max_output_tokens for one in plan]
        contexts = [one.context_tokens for one in plan]
        self.most = max(mosts, default=0) if all(mosts) else 0
        self.context = max(contexts, default=0) if all(contexts) else 0
        self.with_fees = any(bound_fees_nanos(price, _ONE_OF_EACH) > 0 for price, _ in prices)
        self.is_paid = self.with_fees or any(bound_cost_nanos(price, 1, 1) > 0 for price, _ in prices)

    def nanos(self, num_input: int, num_output: int, other: OtherUsage | None = None) -> int:
        """The most that can be charged for so many tokens, and for `other` usage, in nano-USD."""
        if self.price is not None and other is None:
            return bound_cost_nanos(self.price, num_input, num_output)
        found = 0
        for price, markup_ppm in self.prices:
            cost = bound_cost_nanos(price, num_input, num_output)
            if other is not None:
                cost += bound_fees_nanos(price, other)
            found = max(found, -(-cost * (PPM + markup_ppm) // PPM))
        return found


def _unlimited(fields: Fields, api: Api) -> tuple[int, int]:
    return 0, int(api.can_stream)


class Bound:
    """What a call may use. `output` is each answer's limit, 0 if the caller has none; `num` are answers."""

    __slots__ = ("input", "num", "other", "output", "terms")

    def __init__(self, call: Call, terms: Terms) -> None:
        fields = call.fields
        self.terms = terms
        if terms.fields and terms.fields.isdisjoint(fields):
            self.output, self.num = 0, terms.num
        else:
            self.output, self.num = terms.ask(fields, call.api)
        num_bytes = call.body_bytes
        if call.api.form and num_bytes > FORM_BYTES:  # of pictures and sound, which are no text
            num_bytes = FORM_BYTES + num_bytes // BYTES_PER_TOKEN
        tokens = bound_input_tokens(num_bytes)
        for name, mark in _CONTENTS:
            if name in fields:
                text = bytes(fields[name])
                if mark in text:
                    tokens += REFERENCE_TOKENS * len(_REFERENCE.findall(text))
                break
        self.other: OtherUsage | None = None
        if terms.with_fees:
            size = call.body_bytes
            sound_ms = size // BYTES_PER_MS if call.api.form else 0
            self.other = OtherUsage(images=max(1, self.num), audio_ms=sound_ms, characters=size, searches=1)
        self.input = tokens if not terms.context or tokens < terms.context else terms.context

    def tokens(self, output: int) -> int:
        """Input and output together."""
        return self.input + output * self.num

    def nanos(self, output: int) -> int:
        """The most that can be charged for answers of up to `output` tokens, in nano-USD."""
        return self.terms.nanos(self.input, output * self.num, self.other)

    def stated(self) -> int:
        """The caller's limit, as far as anybody writes that much."""
        most = self.terms.most
        return min(self.output, most) if most else self.output

    def unsaid(self) -> int:
        """How many tokens count for each answer whose length nobody has said, where nothing is paid."""
        most = self.terms.most
        if not self.num:
            return 0
        return min(most, UNSAID_TOKENS) if most else UNSAID_TOKENS

    def unsaid_paid(self, available_nanos: int) -> tuple[int, int]:
        """How many tokens are held for each answer where the caller says nothing, and what that may cost.

        The models' own limit where that is small or a sixteenth of what is available pays for it; else what
        a sixteenth pays for, and at least `UNSAID_TOKENS`.
        """
        most = self.terms.most if self.num else 0
        if most or not self.num:
            nanos = self.nanos(most)
            if most <= UNSAID_TOKENS or nanos <= available_nanos // SHARE:
                return most, nanos
        budget, nothing, some = available_nanos // SHARE, self.nanos(0), self.nanos(UNSAID_TOKENS)
        if some >= budget or some == nothing:
            return UNSAID_TOKENS, some
        found = (budget - nothing) * UNSAID_TOKENS // (some - nothing)
        found = max(UNSAID_TOKENS, min(found, most) if most else found)
        return found, self.nanos(found)

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
