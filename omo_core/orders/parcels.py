"""Parcels: what leaves, or waits for its buyer, is written down for its channel with the work that was done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from omo_core.model.fulfilment import ShipFulfilment, ShippedParcel
from omo_core.orders.book import fulfilment_fact
from omo_core.orders.entries import FulfilmentEntry, OrderEntry
from omo_core.storage import reports
from omo_core.storage.transaction import Transaction

READY: Final = "omo.fulfilment.ready.v1"
"""The goods wait at the node for their buyer."""


@dataclass(slots=True)
class Parcels:
    """What one batch of nodes' answers has for channels to hear."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    facts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def send(self, order: OrderEntry, work: FulfilmentEntry, command: ShipFulfilment) -> bool:
        """Write down the parcels of work that left; False where they do not hold each of its units once."""
        units = order.units_of(work)
        parcels = command.parcels or (ShippedParcel(carrier=command.carrier, tracking=command.tracking),)
        if not parcels[0].quantities:  # then it is the only one
            parcels = (parcels[0].model_copy(update={"quantities": tuple(units.items())}),)
        held: Counter[str] = Counter()
        for parcel in parcels:
            held.update(dict(parcel.quantities))
        named_once = all(len(dict(parcel.quantities)) == len(parcel.quantities) for parcel in parcels)
        if held != units or not named_once:
            return False
        for number, parcel in enumerate(parcels, start=1):
            self._tell(order, work, "ship", f"ship/{work.fulfilment}/{number}", parcel)
        return True

    def wait_for_buyer(self, order: OrderEntry, work: FulfilmentEntry) -> None:
        """Write down that work is ready to be collected."""
        waiting = ShippedParcel(quantities=tuple(order.units_of(work).items()))
        self._tell(order, work, "ready", f"ready/{work.fulfilment}", waiting)
        self.facts.append(fulfilment_fact(order, work, READY))

    def save(self, tx: Transaction) -> None:
        """Write it all, behind the orders: they come first in the lock order."""
        reports.add(tx, self.rows)
        tx.publish_many(self.facts)

    def _tell(self, order: OrderEntry, work: FulfilmentEntry, kind: str, report: str, goods: ShippedParcel) -> None:
        row = {"report": report, "kind": kind, "channel": order.channel, "order_id": order.order_id}
        document = goods.model_dump_json(exclude_defaults=True)
        self.rows.append({**row, "fulfilment": work.fulfilment, "document": document})
