"""Every verb of the pool by the type of its command; a new verb is one entry in its module's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory import promise_verbs, verbs_counts, verbs_goods, verbs_inbound, verbs_returns, verbs_transfers
from omo_core.inventory.inbound import Announced
from omo_core.inventory.readings import Readings
from omo_core.inventory.transfers import Transfers
from omo_core.inventory.verb import Annex, Outcome, Verb
from omo_core.inventory.working import WorkingSet
from omo_core.model.stock_commands import StockCommand

VERBS: Final[Mapping[type, Verb]] = {
    **verbs_goods.VERBS,
    **verbs_counts.VERBS,
    **verbs_returns.VERBS,
    **verbs_transfers.VERBS,
    **verbs_inbound.VERBS,
    **promise_verbs.VERBS,
}

ANNEXES: Final[tuple[type[Annex], ...]] = (*promise_verbs.ANNEXES, Readings, Transfers, Announced)
"""Further tables that verbs decide on, in the order in which their rows are locked: after stock, before the outbox."""


def verb_of(command: StockCommand) -> Verb:
    """The verb of a command."""
    return VERBS[type(command)]


def perform(work: WorkingSet, operation_id: str, command: StockCommand) -> Outcome:
    """Decide one command on the working set and, unless it is refused, change the set by it."""
    return verb_of(command).perform(work, operation_id, command)
