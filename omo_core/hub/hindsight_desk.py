"""Hindsight: stored decisions made again, and what other policies would have decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from omo_core.allocation import SourcingPolicy
from omo_core.hub.desk import Desk
from omo_core.orders.deciding import Solver
from omo_core.orders.replay import Replay, replay
from omo_core.orders.what_if import WhatIf, what_if
from omo_core.storage.transaction import Transaction


class HindsightDesk(Desk):
    """Looking back at decisions; nothing here changes anything."""

    def replay(
        self,
        order: str,
        attempt: int | None = None,
        *,
        policy: SourcingPolicy | None = None,
        solver: Solver | str | None = None,
        tx: Transaction | None = None,
    ) -> Replay:
        """Make the decision about an order (its id) and attempt (None: its last) again, from what it saw.

        The replay says whether the answer is the same, with its costs, reasons and runner-ups, and which of its inputs
        are as they were then. With a `policy` or `solver` it says what that would have decided. Raises `InvalidInput`
        where there is no such decision.
        """
        return self._hub.run(
            lambda inner: replay(inner, self._hub.context(inner), order, attempt, policy=policy, solver=solver),
            tx,
            read_only=True,
        )

    def what_if(
        self,
        policies: Mapping[str, SourcingPolicy],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        solver: Solver | str = "policy",
        tx: Transaction | None = None,
    ) -> WhatIf:
        """What the policy in force, and each of these by name, would have decided in a period (None: all that is stored).

        The stored orders come at the same instants in the same waves, on the stock that the ledger tells, with every
        movement since that orders did not cause. `solver` is a name (`policy`: the one each policy asks for, `greedy`,
        `exact`, `wave` where the allocator has it) or decides a problem itself. Raises `InvalidInput` for a period in which nothing was decided.
        """
        return self._hub.run(
            lambda inner: what_if(inner, self._hub.context(inner), policies, since=since, until=until, solver=solver),
            tx,
            read_only=True,
        )
