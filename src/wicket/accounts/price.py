"""A dated price row: integer pico-USD (1e-12 USD) per token, by kind of token."""

from __future__ import annotations

import msgspec

from wicket.providers.tariff import Tariff


class Price(msgspec.Struct, frozen=True, array_like=True):
    """What a provider bills per token. `id` names the row for ever (`provider/model@date`).

    `tariff` has what the five plain prices can't say: further kinds, long requests, classes of service, fees
    by other units. None where there is nothing of it, as with most rows.
    """

    id: str
    input_pico: int
    output_pico: int
    cached_pico: int | None = None  # None: as input
    cache_write_pico: int | None = None  # None: as input
    request_nanos: int = 0  # a fee per request, nano-USD
    tariff: Tariff | None = None


FREE = Price(id="free", input_pico=0, output_pico=0)
