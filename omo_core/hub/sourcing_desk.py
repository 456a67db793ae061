"""The sourcing desk: many orders decided at once, and decided again while nothing is picked."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from omo_core.allocation import solve_wave
from omo_core.hub.hindsight_desk import HindsightDesk
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import PlacedOrder
from omo_core.orders import (
    Reevaluate,
    Reevaluated,
    Solver,
    SourcingContext,
    WaveResult,
    answer,
    look,
    record_wave,
    reevaluate,
    reevaluation,
    retry_short,
    run_wave,
)
from omo_core.orders.proposed import Proposed, told
from omo_core.storage.transaction import Transaction


class SourcingDesk(HindsightDesk):
    """Deciding for many orders at once, and looking back at what was decided."""

    def run_wave(
        self,
        *,
        limit: int = 1_000,
        deadline: timedelta | None = None,
        solver: Solver | None = None,
        tx: Transaction | None = None,
    ) -> WaveResult:
        """Source waiting orders together, oldest first; their provisional holds count as free.

        With a `deadline` they are solved jointly (`solve_wave`), and the result has a gap; or name a `solver`. Both may
        take their time: they work without a transaction, and orders that changed meanwhile are solved again by the hub's
        own solver. With `tx` all of it is one transaction.
        """
        if deadline is not None:
            if solver is not None:
                raise InvalidInput("give run_wave either a deadline or a solver; a solver keeps its own time")
            solver = partial(solve_wave, deadline=deadline)
        if solver is None or tx is not None:
            return self._hub.run(lambda inner: run_wave(inner, self._context(inner, solver), limit=limit), tx)
        context, question = self._hub.run(
            lambda inner: (context := self._hub.context(inner), look(inner, context, limit=limit))
        )
        ahead = answer(question, context.solved_by(solver))
        return self._hub.run(lambda inner: record_wave(inner, self._hub.context(inner), question, ahead))

    def _context(self, tx: Transaction, solver: Solver | None) -> SourcingContext:
        context = self._hub.context(tx)
        return context if solver is None else context.solved_by(solver)

    def reevaluate(self, command: Reevaluate, *, tx: Transaction | None = None) -> Reevaluated:
        """Decide offered work again, together, and move what is better elsewhere; twice is once.

        The search works without a transaction; what changed meanwhile is left as it was. With `tx` all of it is one
        transaction. Raises `DuplicateKeyMismatch` for a key used for another request.
        """
        if tx is not None:
            return reevaluate(tx, command, self._hub.context(tx))
        before, found, context = self._hub.run(lambda inner: self._surveyed(inner, command))
        if before is not None:
            return before
        proposal = reevaluation.propose(found, command, context)
        return self._hub.run(lambda inner: reevaluation.record(inner, command, proposal))

    def proposed(self, command: Reevaluate) -> Proposed:
        """What `reevaluate` would move now, with costs and reasons; nothing is changed, and the key is not used up."""

        def surveyed(tx: Transaction) -> tuple[SourcingContext, reevaluation.Survey]:
            context = self._hub.context(tx)
            return context, reevaluation.survey(tx, command, context)

        context, found = self._hub.run(surveyed, read_only=True)
        return told(reevaluation.propose(found, command, context), context.index.currency)

    def _surveyed(
        self, tx: Transaction, command: Reevaluate
    ) -> tuple[Reevaluated | None, reevaluation.Survey, SourcingContext]:
        context = self._hub.context(tx)
        before = reevaluation.answered_before(tx, command)
        found = reevaluation.survey(tx, command, context) if before is None else reevaluation.Survey((), (), {})
        return before, found, context

    def retry_short(self, *, after: str = "", limit: int = 1_000, tx: Transaction | None = None) -> list[PlacedOrder]:
        """Source again the units that no node had, where their items are free now; call it after receipts."""
        return self._hub.run(lambda inner: retry_short(inner, self._hub.context(inner), after=after, limit=limit), tx)
