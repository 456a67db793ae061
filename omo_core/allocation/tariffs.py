"""Parcel tariffs: what a carrier asks by weight, in bands, exactly as its price list says."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from omo_core.model.network import NodeKind, enum_of
from omo_core.model.values import Value

Grams = Annotated[int, Field(ge=1, le=1_000_000_000)]


class WeightBand(Value):
    """The price of one parcel of at most this weight."""

    up_to_g: Grams
    price_minor: Annotated[int, Field(ge=0, le=1_000_000_000)]


class ParcelTariff(Value):
    """A price list for the parcels of some nodes over some distances; heavier shipments go as several parcels.

    An order decided alone gets the cheapest plan where no parcel is dearer than its goods in two. Where a price list has
    such a step, the search may send through one node what two would send cheaper; costs and bounds stay exact.
    """

    bands: tuple[WeightBand, ...] = Field(min_length=1, max_length=200)
    """From light to heavy, prices never falling."""
    kinds: tuple[Annotated[NodeKind, enum_of(NodeKind)], ...] | None = None
    """The kinds of nodes it is for; None is all."""
    up_to_m: Annotated[int, Field(ge=0, le=20_100_000)] | None = None
    """The distance it is for; None is any."""

    @model_validator(mode="after")
    def _bands_make_sense(self) -> Self:
        weights = [band.up_to_g for band in self.bands]
        prices = [band.price_minor for band in self.bands]
        if sorted(set(weights)) != weights or sorted(prices) != prices:
            raise ValueError("list the bands from light to heavy, each weight once, with prices that never fall")
        return self

    def price_minor(self, weight_g: int) -> int:
        """What a shipment of this weight costs: full parcels of the heaviest band, and one parcel with the rest."""
        heaviest = self.bands[-1]
        full = max(0, weight_g - 1) // heaviest.up_to_g
        rest = weight_g - full * heaviest.up_to_g
        return full * heaviest.price_minor + next(band.price_minor for band in self.bands if band.up_to_g >= rest)
