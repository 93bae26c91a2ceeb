"""What a request is likely to cost, before anybody is asked: for ordering and explaining, never for bills."""

from __future__ import annotations

from decimal import Decimal

from wicket.routing.deployment import Deployment

BYTES_PER_TOKEN = 4  # English prose with its JSON around it; where all are read alike it decides nothing
BYTES_PER_TOKEN_AT_MOST = 8  # so that a request that is said to be too long is
TYPICAL_OUTPUT_TOKENS = 500  # where the caller sets no limit


def input_tokens(num_bytes: int) -> int:
    """About how many tokens a request of so many bytes has."""
    return -(-num_bytes // BYTES_PER_TOKEN)


def cost_pico(one: Deployment, num_input: int, num_output: int) -> int | None:
    """Pico-USD for so many tokens; `num_output` 0 is a typical answer. None without a price."""
    if one.prices is None:
        return None
    output = num_output or TYPICAL_OUTPUT_TOKENS
    if one.max_output_tokens:
        output = min(output, one.max_output_tokens)
    if one.tariff is not None:
        at = one.tariff.standard.at(num_input)
        return num_input * at.input + output * at.output + one.prices[4] * 1_000
    return num_input * one.prices[0] + output * one.prices[1] + one.prices[4] * 1_000


def dollars(pico: int) -> str:
    """Pico-USD as dollars, with three digits that count."""
    return format(Decimal(f"{pico / 1e12:.3g}"), "f")
