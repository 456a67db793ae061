"""The part of the stock desk that says what can be promised: now or by a day, to a channel, of items and of kits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from omo_core.hub.desk import Desk
from omo_core.inventory import (
    availability_deltas,
    available_in_bulk,
    available_kits,
    available_to_promise,
    holds_of_kit,
    levels,
    levels_of_skus,
    mark_told,
    set_safety_rule,
)
from omo_core.model.availability import AvailabilityDelta, PublicationRule, SafetyRuleSet, SetSafetyRule
from omo_core.model.stock import HoldRequest, Level
from omo_core.storage.transaction import Transaction


class AvailabilityDesk(Desk):
    """Levels, available to promise, and what channels should be told of it."""

    def levels(self, pairs: Sequence[tuple[str, str]], *, tx: Transaction | None = None) -> list[Level]:
        """Sellable stock rows of (sku, node) pairs that exist, in one look-up."""
        return self._hub.run(lambda inner: levels(inner, pairs), tx, read_only=True)

    def levels_of(
        self, skus: Sequence[str], *, condition: str = "sellable", tx: Transaction | None = None
    ) -> list[Level]:
        """Stock rows of items at every node, in one look-up; `condition` may be `quarantine`."""
        return self._hub.run(lambda inner: levels_of_skus(inner, skus, condition=condition), tx, read_only=True)

    def available(
        self,
        sku: str,
        *,
        node: str | None = None,
        channel: str | None = None,
        by: datetime | None = None,
        tx: Transaction | None = None,
    ) -> int:
        """Units available to promise, at one node or in the whole pool; to a channel, within the quotas.

        `by` an instant, what suppliers announced and what is on its way until then counts too.
        """
        return self._hub.run(
            lambda inner: available_to_promise(inner, sku, node, channel=channel, by=by), tx, read_only=True
        )

    def available_many(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        channel: str | None = None,
        by: datetime | None = None,
        tx: Transaction | None = None,
    ) -> list[int]:
        """As `available` of any number of (sku, node) pairs in one call, in the order asked."""
        return self._hub.run(lambda inner: available_in_bulk(inner, pairs, channel=channel, by=by), tx, read_only=True)

    def available_kits(
        self, kits: Sequence[str], *, channel: str | None = None, tx: Transaction | None = None
    ) -> dict[tuple[str, str], int]:
        """How many of each kit each node could put together now, as (kit, node) → units."""
        return self._hub.run(lambda inner: available_kits(inner, kits, channel=channel), tx, read_only=True)

    def components(self, request: HoldRequest, *, tx: Transaction | None = None) -> tuple[HoldRequest, ...]:
        """The holds that promise so many of a kit: give them to `hold`, all or none; raises where it is no kit."""
        return self._hub.run(lambda inner: holds_of_kit(inner, request), tx, read_only=True)

    def set_safety_rule(self, rule: SetSafetyRule, *, tx: Transaction | None = None) -> SafetyRuleSet:
        """Keep stock back in the pool, at a class of nodes or at one; now, and of rows that come later."""
        return self._hub.run(lambda inner: set_safety_rule(inner, rule), tx)

    def deltas(
        self, rule: PublicationRule, *, skus: Sequence[str] | None = None, tx: Transaction | None = None
    ) -> list[AvailabilityDelta]:
        """What a channel must be told anew; once it was told, say so with `told`."""
        return self._hub.run(lambda inner: availability_deltas(inner, rule, skus=skus), tx, read_only=True)

    def told(self, deltas: Sequence[AvailabilityDelta], *, tx: Transaction | None = None) -> int:
        """A channel took these numbers; the next `deltas` are against them."""
        return self._hub.run(lambda inner: mark_told(inner, deltas), tx)
