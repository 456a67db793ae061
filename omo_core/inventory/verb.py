"""What a verb of the pool is: the rows and holds a command names, what it takes, and how it is decided and done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

from omo_core.inventory.working import Cell, WorkingSet
from omo_core.model.promised import Backorder, SlotClaim
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Correction, Demand, Displaced, Hold, HoldRequest, Shortage
from omo_core.storage.transaction import Transaction


class Outcome(NamedTuple):
    """What a command came to: refusals, or what it changed."""

    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    displaced: tuple[Displaced, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    claims: tuple[SlotClaim, ...] = ()
    backorders: tuple[Backorder, ...] = ()
    corrections: tuple[Correction, ...] = ()
    row_refusals: tuple[Refusal, ...] = ()


def names_none(_command: Any) -> Iterable[Any]:
    """For commands that name no rows, or no holds."""
    return ()


def _takes_nothing(_command: Any, _work: WorkingSet) -> Mapping[Cell, int]:
    return {}


@dataclass(frozen=True, slots=True)
class Verb:
    """One kind of command: its rows and holds are locked and loaded before any command of the batch is decided."""

    perform: Callable[[WorkingSet, str, Any], Outcome]
    """(working set, operation id, command) → outcome. It decides everything first, then changes the working set; a
    refused command changes nothing."""
    cells: Callable[[Any], Iterable[Cell]] = names_none
    """Stock rows that the command names, whether they are stored or not."""
    holds: Callable[[Any], Iterable[str]] = names_none
    """Ids of the holds that the command names; the rows that carry them are locked with the others."""
    takes: Callable[[Any, WorkingSet], Mapping[Cell, int]] = _takes_nothing
    """The most units that the command may take from the free part of each row, known once rows are locked."""
    displaces: bool = False
    """Whether what it takes may cost promises: it is a fact of the physical world, and is never refused."""


class Annex(Protocol):
    """Rows of another table that some verbs decide on beside stock, loaded and written back with the working set."""

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:
        """Read and lock what the commands name; stock rows are locked before, and stay first in the lock order."""

    def record(self, tx: Transaction) -> None:
        """Write what the verbs changed; stock rows, holds and postings are written before."""


def sellable(line: Demand | HoldRequest) -> Cell:
    """The row that a line's goods are sold from."""
    return (line.sku, line.node, SELLABLE)


def summed(lines: Iterable[Demand | HoldRequest]) -> dict[Cell, int]:
    """Quantity per sellable stock row; two lines of one row must be decided as one."""
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node, SELLABLE)
        sums[cell] = sums[cell] + line.quantity if cell in sums else line.quantity
    return sums


def cells_of_lines(command: Any) -> Iterable[Cell]:
    """The rows of a command whose `lines` have a SKU and a node."""
    return map(sellable, command.lines)


def takes_lines(command: Any, _work: WorkingSet) -> Mapping[Cell, int]:
    """A command that takes what its `lines` say."""
    return summed(command.lines)
