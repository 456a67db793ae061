"""The working set: the stock rows and holds that a batch touches, in memory, and the ledger lines it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Hold, HoldRequest, HoldState, kept_back
from omo_core.model.values import of_valid
from omo_core.storage.ahead import Answer
from omo_core.storage.clock import from_us

A = TypeVar("A")


class Counter(Protocol):
    """What counts the units that holds took and did not give back."""

    used: int


Cell = tuple[str, str, str]
"""(sku, node, condition): the key of a stock row. Promises are made from sellable rows only."""

STOCK: Final = "stock"
SUPPLIER: Final = "supplier"
CUSTOMER: Final = "customer"
ADJUSTMENT: Final = "adjustment"
TRANSIT: Final = "transit"
LOST: Final = "lost"
"""Places of postings: the real row, where goods come from, where they go, what the book got wrong, what is on its way
between nodes, and what is gone for good."""

POSTING_COLUMNS: Final = (
    "operation_id",
    "number",
    "place",
    "sku",
    "node",
    "condition",
    "quantity",
    "reserved",
    "safety",
    "shortage",
    "row_version",
    "on_hand_after",
    "reserved_after",
    "safety_after",
    "shortage_after",
    "posted_at_us",
)
"""What the tuples of `WorkingSet.postings` hold."""


@dataclass(slots=True)
class Row:
    """One stock row: as the batch has changed it so far, and the version it was read with (0: not stored yet)."""

    sku: str
    node: str
    condition: str = SELLABLE
    on_hand: int = 0
    reserved: int = 0
    safety: int = 0
    shortage: int = 0
    version: int = 0
    halted: bool = False
    safety_permille: int = 0
    stored_version: int = 0

    @property
    def cell(self) -> Cell:
        """The row's key."""
        return (self.sku, self.node, self.condition)

    @property
    def free(self) -> int:
        """Units a new hold may take; negative where safety stock exceeds what is left."""
        return self.on_hand - self.reserved - kept_back(self.on_hand, self.safety, self.safety_permille)


@dataclass(slots=True)
class HeldUnits:
    """One hold as the batch has changed it so far; `stored` is what it was read with, None where this batch places it."""

    hold: str
    owner: str
    line: str
    sku: str
    node: str
    quantity: int
    pending: int
    issued: int
    released: int
    state: HoldState
    placed_at_us: int
    expires_at_us: int | None
    operation_id: str
    returned: int = 0
    extended: int = 0
    dies_at_us: int | None = None
    channel: str | None = None
    quota: str | None = None
    stored: tuple[Any, ...] | None = None
    counter: Counter | None = None
    """The quota that its units count towards, where that stands and this batch may release some."""

    @property
    def cell(self) -> Cell:
        """The stock row that carries its pending units."""
        return (self.sku, self.node, SELLABLE)

    @property
    def changing(self) -> tuple[Any, ...]:
        """What a hold's life can change, first the state and pending units that guard the writing."""
        return (
            self.state,
            self.pending,
            self.issued,
            self.released,
            self.returned,
            self.extended,
            self.expires_at_us,
        )

    @property
    def changed(self) -> bool:
        """Whether a stored hold is no longer as it was read."""
        return self.stored is not None and self.stored != self.changing

    def release(self, units: int, end: HoldState) -> None:
        """Give units back to the pool; the hold ends in `end` once nothing is pending."""
        self.pending -= units
        self.released += units
        if self.counter is not None:
            self.counter.used -= units
        if self.pending == 0:
            self.state = end

    def issue(self, units: int) -> None:
        """Let units leave; the hold is issued once nothing is pending."""
        self.pending -= units
        self.issued += units
        if self.pending == 0:
            self.state = HoldState.ISSUED

    def value(self) -> Hold:
        """The hold as a noun of the model, as it stands now."""
        return of_valid(
            Hold,
            hold=self.hold,
            owner=self.owner,
            line=self.line,
            sku=self.sku,
            node=self.node,
            condition=SELLABLE,
            quantity=self.quantity,
            pending=self.pending,
            issued=self.issued,
            released=self.released,
            state=self.state,
            expires_at=None if self.expires_at_us is None else from_us(self.expires_at_us),
            returned=self.returned,
            extended=self.extended,
            dies_at=None if self.dies_at_us is None else from_us(self.dies_at_us),
            channel=self.channel,
        )


@dataclass(slots=True)
class WorkingSet:
    """Everything a batch may decide on, already locked; and, growing, everything it will write."""

    now_us: int
    new_id: Callable[[], str]
    rows: dict[Cell, Row] = field(default_factory=dict)
    holds: dict[str, HeldUnits] = field(default_factory=dict)
    holds_by_cell: dict[Cell, list[HeldUnits]] = field(default_factory=dict)
    """The open holds of the rows on which promises may have to be displaced."""
    skus: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    """The known ones among the items and nodes of commands that name no stock row yet."""
    kept_by_rule: dict[Cell, tuple[int, int]] = field(default_factory=dict)
    """(units, permille) of safety stock with which rows begin that are not stored yet."""
    postings: list[tuple[Any, ...]] = field(default_factory=list)
    """Ledger lines as tuples of `POSTING_COLUMNS`; a line's number is its place in this list."""
    count_tasks: list[dict[str, Any]] = field(default_factory=list)
    annexes: dict[type, Any] = field(default_factory=dict)
    """What verbs decide on beside stock, by the class that loaded it."""
    answers: dict[type, Answer] = field(default_factory=dict)
    """What such a class asked for already, together with the stock rows."""

    def unknown(self, cells: Iterable[Cell]) -> tuple[Refusal, ...]:
        """A refusal for each item and node that the pool does not know; a cell with a stock row is known."""
        strangers = [cell for cell in cells if cell not in self.rows]
        if not strangers:
            return ()
        skus = dict.fromkeys(sku for sku, _, _ in strangers if sku not in self.skus)
        nodes = dict.fromkeys(node for _, node, _ in strangers if node not in self.nodes)
        return (
            *(Refusal.of("unknown_sku", sku=sku) for sku in skus),
            *(Refusal.of("unknown_node", node=node) for node in nodes),
        )

    def annex(self, kind: type[A]) -> A:
        """The loaded rows of another table."""
        found: A = self.annexes[kind]
        return found

    def row(self, cell: Cell) -> Row:
        """The row of a cell; one that is not stored yet begins empty, and is written once it is posted to."""
        row = self.rows.get(cell)
        if row is None:
            row = self.rows[cell] = Row(*cell)
        return row

    def post(
        self,
        operation_id: str,
        cell: Cell,
        *,
        quantity: int = 0,
        reserved: int = 0,
        safety: int = 0,
        shortage: int = 0,
        always: bool = False,
    ) -> None:
        """Change a stock row by one ledger line that carries its next version.

        No change writes no line, unless `always`: then something else of the row changed that the line dates.
        """
        if not (quantity or reserved or safety or shortage or always):
            return
        row = self.row(cell)
        if not row.version and not safety and cell in self.kept_by_rule:
            safety, row.safety_permille = self.kept_by_rule[cell]
        row.on_hand += quantity
        row.reserved += reserved
        row.safety += safety
        row.shortage += shortage
        row.version += 1
        after = (row.version, row.on_hand, row.reserved, row.safety, row.shortage, self.now_us)
        line = (operation_id, len(self.postings) + 1, STOCK, *cell, quantity, reserved, safety, shortage)
        self.postings.append((*line, *after))

    def balance(self, operation_id: str, place: str, cell: Cell, quantity: int) -> None:
        """The other side of a change of goods: a line at a virtual place, which has no row and so cannot be hot.

        The node of `cell` is the one that the place faces, or '' where it faces several.
        """
        if quantity:
            line = (operation_id, len(self.postings) + 1, place, *cell, quantity, 0, 0, 0)
            self.postings.append((*line, None, None, None, None, None, self.now_us))

    def place(
        self,
        operation_id: str,
        request: HoldRequest,
        expires_at_us: int | None,
        dies_at_us: int | None = None,
        channel: str | None = None,
    ) -> HeldUnits:
        """A new hold; the caller has decided that its units are free and posts them."""
        hold = HeldUnits(
            hold=self.new_id(),
            owner=request.owner,
            line=request.line,
            sku=request.sku,
            node=request.node,
            quantity=request.quantity,
            pending=request.quantity,
            issued=0,
            released=0,
            state=HoldState.PLACED,
            placed_at_us=self.now_us,
            expires_at_us=expires_at_us,
            operation_id=operation_id,
            dies_at_us=dies_at_us,
            channel=channel,
        )
        self.holds[hold.hold] = hold
        if hold.cell in self.holds_by_cell:
            self.holds_by_cell[hold.cell].append(hold)
        return hold

    def open_count_task(self, operation_id: str, cell: Cell, quantity: int) -> None:
        """Ask for a count of a shelf whose book was proven wrong by `quantity` units."""
        self.count_tasks.append(
            {
                "task_id": self.new_id(),
                "sku": cell[0],
                "node": cell[1],
                "condition": cell[2],
                "quantity": quantity,
                "state": "open",
                "operation_id": operation_id,
                "opened_at_us": self.now_us,
                "closed_by": None,
                "closed_at_us": None,
            }
        )
