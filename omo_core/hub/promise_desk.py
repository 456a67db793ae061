"""The promise side of the stock desk: longer holds, parts of them, quotas, slots of work, promises ahead of stock."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime

from omo_core.hub.aio import through_combiner
from omo_core.hub.desk import Desk
from omo_core.inventory import (
    backorder_caps,
    backorders_of,
    claims_of,
    extension_limit,
    quotas_of,
    set_extension_limit,
    slot_levels,
)
from omo_core.model.promised import Backorder, BackorderCap, Quota, QuotaKind, SlotClaim, SlotLevel
from omo_core.model.promises import ConvertBackorders, DropQuota, ExtendHolds, PartOfHold, ReleaseUnits, SetQuota
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.transaction import Transaction


class PromiseDesk(Desk):
    """What the stock desk does about promises; commands that have no method here go through `apply`."""

    @abstractmethod
    def apply(self, command: StockCommand, *, tx: Transaction | None = None) -> StockAnswer:
        """One command of the pool."""

    @through_combiner
    def extend(
        self,
        holds: Sequence[str],
        *,
        expires_at: datetime,
        key: str,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """Let placed holds last longer, all or none."""
        return self.apply(ExtendHolds(key=key, scope=scope, holds=tuple(holds), expires_at=expires_at), tx=tx)

    @through_combiner
    def release_units(
        self, parts: Sequence[PartOfHold], *, key: str, scope: str = "default", tx: Transaction | None = None
    ) -> StockAnswer:
        """Give some units of open holds back to the pool, all or none."""
        return self.apply(ReleaseUnits(key=key, scope=scope, lines=tuple(parts)), tx=tx)

    def limit_extensions(self, most: int, *, tx: Transaction | None = None) -> None:
        """How often the holds of this pool may be extended; 0: never."""
        self._hub.run(lambda inner: set_extension_limit(inner, most), tx)

    def extension_limit(self, *, tx: Transaction | None = None) -> int:
        """How often the holds of this pool may be extended."""
        return self._hub.run(extension_limit, tx, read_only=True)

    @through_combiner
    def set_quota(
        self,
        *,
        sku: str,
        channel: str,
        kind: QuotaKind,
        units: int,
        key: str,
        gives_back_at: datetime | None = None,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """Give a channel its part of an item: the most it may take, or what nobody else may."""
        command = SetQuota(
            key=key,
            scope=scope,
            sku=sku,
            channel=channel,
            quota_kind=kind,
            units=units,
            gives_back_at=gives_back_at,
        )
        return self.apply(command, tx=tx)

    @through_combiner
    def drop_quota(
        self, *, sku: str, channel: str, key: str, scope: str = "default", tx: Transaction | None = None
    ) -> StockAnswer:
        """Let a channel share what is free again."""
        return self.apply(DropQuota(key=key, scope=scope, sku=sku, channel=channel), tx=tx)

    def quotas_of(self, skus: Sequence[str], *, tx: Transaction | None = None) -> list[Quota]:
        """Every quota of these items."""
        return self._hub.run(lambda inner: quotas_of(inner, skus), tx, read_only=True)

    def slots(self, slots: Sequence[tuple[str, datetime]], *, tx: Transaction | None = None) -> list[SlotLevel]:
        """What nodes can take, and what of it is claimed, at each (node, start of the slot) asked for, in one look-up."""
        return self._hub.run(lambda inner: slot_levels(inner, slots), tx, read_only=True)

    def claims_of(self, owners: Sequence[str], *, tx: Transaction | None = None) -> list[SlotClaim]:
        """What these owners claimed of nodes' slots."""
        return self._hub.run(lambda inner: claims_of(inner, owners), tx, read_only=True)

    @through_combiner
    def convert_backorders(
        self,
        *,
        sku: str,
        node: str,
        key: str,
        expires_at: datetime | None = None,
        scope: str = "default",
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """Turn the oldest promises ahead of stock into holds at a node; call it after a receipt."""
        return self.apply(ConvertBackorders(key=key, scope=scope, sku=sku, node=node, expires_at=expires_at), tx=tx)

    def backorders_of(self, owners: Sequence[str], *, tx: Transaction | None = None) -> list[Backorder]:
        """Every promise ahead of stock to these owners."""
        return self._hub.run(lambda inner: backorders_of(inner, owners), tx, read_only=True)

    def backorder_caps(self, skus: Sequence[str], *, tx: Transaction | None = None) -> list[BackorderCap]:
        """How much of these items may be promised ahead of stock, and is."""
        return self._hub.run(lambda inner: backorder_caps(inner, skus), tx, read_only=True)
