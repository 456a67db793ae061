"""Sample intents of every kind, for the contract suite and for tests of transports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from omo_core.channels.intents import (
    Acknowledge,
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    Parcel,
    ReadyForPickup,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Ids in the shape of one channel's own."""

    order: str = "1001"
    line: str = "11"
    listing: str = "2001"
    product: str | None = "3001"
    sku: str = "MUG-BLUE"
    location: str | None = None
    """Set where the channel keeps stock by location."""
    fulfilment: str | None = "4001"
    refund: str = "5001"
    refund_version: str | None = None
    """Set where the channel wants to hear which version of a refund is answered."""
    carrier: str = "SF"
    currency: str = "USD"
    modes: tuple[StockMode, ...] = (StockMode.ABSOLUTE,)
    names_lines: bool = False
    """Set where the channel wants the lines of every parcel."""
    cancel_reason: str | None = None
    """Set where the channel wants one of its reasons to cancel."""

    def intents(self) -> Iterator[Intent]:
        """One intent of each kind; of stock, one of each mode."""
        yield FetchOrder(key="fetch", external_id=self.order)
        yield ListChanges(key="list", since=NOW - timedelta(minutes=10), until=NOW)
        yield Acknowledge(key="acknowledge", external_id=self.order)
        parcel = Parcel(
            carrier=self.carrier,
            tracking="SF1234567890",
            quantities=((self.line, 1),) if self.names_lines else (),
            location=self.location,
            shipped_at=NOW,
        )
        yield Ship(key="ship", external_id=self.order, parcels=(parcel,), fulfilment=self.fulfilment)
        yield ReadyForPickup(key="ready", external_id=self.order, fulfilment=self.fulfilment)
        for mode in self.modes:
            yield SetStock(key=f"stock/{mode}", mode=mode, levels=(self._level(7),), as_of=NOW)
        seen = (self.fulfilment,) if self.fulfilment else ()
        yield CancelOrder(key="cancel", external_id=self.order, reason=self.cancel_reason, fulfilments=seen)
        for accept in (True, False):
            yield AnswerRefund(
                key=f"refund/{accept}",
                external_id=self.order,
                refund=self.refund,
                accept=accept,
                amount_minor=1250,
                currency=self.currency,
                reason="agreed" if accept else "the goods were used",
                version=self.refund_version,
            )

    def _level(self, units: int) -> StockLevel:
        return StockLevel(listing=self.listing, product=self.product, sku=self.sku, location=self.location, units=units)
