"""The goods side of the stock desk: counts, corrections, returns, and what is on its way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime

from omo_core.hub.aio import through_combiner
from omo_core.hub.desk import Desk
from omo_core.inventory import inbound_due, inbound_of, open_count_tasks, open_inbound, open_transfers, transfers_of
from omo_core.model.goods import (
    Adjustment,
    AdjustReason,
    AdjustStock,
    Counted,
    CountStock,
    CountTask,
    Disposition,
    Inbound,
    Returned,
    ReturnGoods,
    Transfer,
)
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.transaction import Transaction


class GoodsDesk(Desk):
    """What the stock desk does about goods themselves; commands that have no method here go through `apply`."""

    @abstractmethod
    def apply(self, command: StockCommand, *, tx: Transaction | None = None) -> StockAnswer:
        """One command of the pool."""

    @through_combiner
    def count(
        self,
        *,
        node: str,
        sku: str,
        quantity: int,
        key: str,
        counted_at: datetime | None = None,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """So many sellable units stood there at `counted_at` (None: now), whatever the book says."""
        lines = (Counted(sku=sku, node=node, quantity=quantity),)
        return self.apply(CountStock(key=key, scope=scope, lines=lines, counted_at=counted_at), tx=tx)

    @through_combiner
    def adjust(
        self,
        *,
        node: str,
        sku: str,
        quantity: int,
        reason: AdjustReason,
        key: str,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """So many units more, or fewer (below 0), for a reason; never refused for want of stock."""
        lines = (Adjustment(sku=sku, node=node, quantity=quantity),)
        return self.apply(AdjustStock(key=key, scope=scope, lines=lines, reason=reason), tx=tx)

    @through_combiner
    def take_back(
        self,
        *,
        node: str,
        sku: str,
        quantity: int,
        disposition: Disposition,
        key: str,
        hold: str | None = None,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """A buyer brought goods back, to whatever node; with `hold`, units that left under it."""
        lines = (Returned(sku=sku, node=node, quantity=quantity, disposition=disposition, hold=hold),)
        return self.apply(ReturnGoods(key=key, scope=scope, lines=lines), tx=tx)

    def count_tasks(
        self, *, node: str | None = None, after: str = "", limit: int = 100, tx: Transaction | None = None
    ) -> list[CountTask]:
        """A page of the shelves that someone should count, oldest first; `after` is the last task's id."""
        return self._hub.run(
            lambda inner: open_count_tasks(inner, node=node, after=after, limit=limit), tx, read_only=True
        )

    def transfers(self, transfers: Sequence[str], *, tx: Transaction | None = None) -> list[Transfer]:
        """The named transfers that exist."""
        return self._hub.run(lambda inner: transfers_of(inner, transfers), tx, read_only=True)

    def open_transfers(
        self, *, node: str | None = None, after: str = "", limit: int = 100, tx: Transaction | None = None
    ) -> list[Transfer]:
        """A page of the transfers on their way, to one node or to any; `after` is the last one's id."""
        return self._hub.run(
            lambda inner: open_transfers(inner, node=node, after=after, limit=limit), tx, read_only=True
        )

    def inbound(self, announcements: Sequence[tuple[str, str]], *, tx: Transaction | None = None) -> list[Inbound]:
        """The lines of announcements (reference, node), and what of them has come."""
        return self._hub.run(lambda inner: inbound_of(inner, announcements), tx, read_only=True)

    def open_inbound(
        self,
        *,
        node: str | None = None,
        after: tuple[str, str, str] = ("", "", ""),
        limit: int = 100,
        tx: Transaction | None = None,
    ) -> list[Inbound]:
        """A page of what suppliers still owe; `after` is (sku, node, reference) of the last line."""
        return self._hub.run(lambda inner: open_inbound(inner, node=node, after=after, limit=limit), tx, read_only=True)

    def inbound_due(
        self, skus: Sequence[str], *, by: datetime, tx: Transaction | None = None
    ) -> dict[tuple[str, str], int]:
        """Units that should come to each (sku, node) by an instant, from suppliers and other nodes."""
        return self._hub.run(lambda inner: inbound_due(inner, by, skus=skus), tx, read_only=True)
