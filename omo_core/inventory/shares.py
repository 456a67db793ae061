"""Shares: how much of an item each channel may still take, with its own quota and what is kept for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from omo_core.inventory.quotas import QuotaRow, quota_rows
from omo_core.storage.transaction import Transaction


class Shares:
    """The quotas in force of some items and what is free of each in the whole pool; items without quotas are not in it.

    A reading, for plans and publications: the guard is in the pool, which decides again on locked rows.
    """

    def __init__(self, quotas: Mapping[str, Iterable[QuotaRow]]) -> None:
        self._quotas = {sku: {row.channel: row for row in rows} for sku, rows in quotas.items()}
        self._free = dict.fromkeys(self._quotas, 0)

    @classmethod
    def read(cls, tx: Transaction, skus: Iterable[str] | None = None) -> Self:
        """The quotas of the items, or of all (`skus` None); say with `add_free` what is free of them."""
        in_force: dict[str, list[QuotaRow]] = {}
        for row in quota_rows(tx, skus):
            if row.in_force(tx.now_us):
                in_force.setdefault(row.sku, []).append(row)
        return cls(in_force)

    @property
    def skus(self) -> list[str]:
        """The items that have quotas in force, in order."""
        return sorted(self._quotas)

    def add_free(self, sku: str, units: int) -> None:
        """So many units of an item are free somewhere in the pool."""
        if sku in self._free:
            self._free[sku] += units

    def limit(self, sku: str, channel: str | None) -> int | None:
        """Units of an item that the channel may still take, wherever they lie; None where nothing restricts it."""
        quotas = self._quotas.get(sku)
        if quotas is None:
            return None
        free, own = self._free[sku], quotas.get(channel or "")
        kept_for_others = sum(row.kept for name, row in quotas.items() if name != channel)
        # What is kept for itself a channel may take even where too little is there for all: it takes nobody's part.
        limit = max(0, min(free, max(own.kept if own is not None else 0, free - kept_for_others)))
        return min(limit, own.unused) if own is not None and own.is_cap else limit

    def is_capped(self, sku: str, channel: str | None) -> bool:
        """Whether the channel's own cap, and not what is kept for others, leaves it the least."""
        own = self._quotas[sku].get(channel or "")
        return own is not None and own.is_cap and own.unused <= self._free[sku]

    def is_sold_out(self, sku: str) -> bool:
        """Whether nothing of an item is free anywhere."""
        return self._free[sku] <= 0

    def forget(self, sku: str, channel: str | None, units: int) -> None:
        """Let so many units of holds not count towards their channel's quota: they are about to be replaced."""
        own = self._quotas.get(sku, {}).get(channel or "")
        if own is not None:
            own.used = max(0, own.used - units)

    def take(self, sku: str, channel: str | None, units: int) -> None:
        """Plan with so many units fewer: the next limits are what is left then."""
        if sku in self._quotas:
            self._free[sku] -= units
            own = self._quotas[sku].get(channel or "")
            if own is not None:
                own.used += units
