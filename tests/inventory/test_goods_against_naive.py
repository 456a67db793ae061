"""Random histories of goods: the pool in random batches does what its naive twin does one command at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings, strategies as st

from omo_core.inventory import transfers_of
from omo_core.model.goods import (
    AbsoluteFeed,
    Adjustment,
    AdjustReason,
    AdjustStock,
    Arrived,
    ChangeCondition,
    CloseTransfer,
    Counted,
    CountStock,
    ReceiveTransfer,
    Returned,
    ReturnGoods,
    Shipped,
    ShipTransfer,
)
from omo_core.model.stock import (
    CounterSale,
    Demand,
    HoldRequest,
    Issue,
    IssueHolds,
    PlaceHolds,
    Receive,
    StockAnswer,
)
from omo_core.storage.clock import to_us
from tests.effort import examples
from tests.inventory.conftest import NODES, POOL, SKUS, Shop, open_shop
from tests.inventory.goods import rows
from tests.naive_goods import Facts, NaiveGoods

# Few cells, so that histories collide; one item and one node that the pool does not know.
skus = st.sampled_from([*["MUG"] * 16, "BOWL", "BOWL", "CUP"])
nodes = st.sampled_from([*["TPE"] * 16, "KHH", "KHH", "XXX"])
conditions = st.sampled_from(["sellable", "sellable", "sellable", "quarantine"])
dispositions = st.sampled_from(["sellable", "quarantine", "write_off"])
units = st.integers(1, 6)
ages = st.sampled_from([None, None, 0, 1, 2, 4, -1])
demands = st.lists(st.builds(Demand, sku=skus, node=nodes, quantity=units), min_size=1, max_size=2).map(tuple)
counts = st.lists(
    st.builds(Counted, sku=skus, node=nodes, condition=conditions, quantity=st.integers(0, 6)), min_size=1, max_size=2
).map(tuple)
changes = st.integers(-5, 5).filter(bool)
adjustments = st.lists(
    st.builds(Adjustment, sku=skus, node=nodes, condition=conditions, quantity=changes), min_size=1, max_size=2
).map(tuple)
holds = st.one_of(st.none(), st.integers(0, 2), st.integers(0, 2))
transfers = st.sampled_from(["T1", "T2", "T3"])
routes = st.sampled_from([*[("TPE", "KHH")] * 6, ("KHH", "TPE"), ("TPE", "XXX")])
arrivals = st.lists(st.builds(Arrived, sku=skus, quantity=units, condition=conditions), min_size=1, max_size=2).map(
    tuple
)
steps = st.one_of(
    st.tuples(st.just("receive"), demands),
    st.tuples(st.just("receive"), demands),
    st.tuples(st.just("sell"), demands),
    st.tuples(st.just("place"), st.builds(Demand, sku=skus, node=nodes, quantity=units)),
    st.tuples(st.just("place"), st.builds(Demand, sku=skus, node=nodes, quantity=units)),
    st.tuples(st.just("issue"), st.integers(0, 2), units),
    st.tuples(st.just("count"), counts, ages),
    st.tuples(st.just("count"), counts, ages),
    st.tuples(st.just("feed"), counts, ages, st.integers(0, 12), st.sampled_from(["wms", "erp"])),
    st.tuples(st.just("adjust"), adjustments, st.sampled_from([AdjustReason.OTHER, AdjustReason.DAMAGE])),
    st.tuples(st.just("return"), st.tuples(skus, nodes, units, dispositions), holds),
    st.tuples(st.just("change"), demands, st.booleans(), dispositions),
    st.tuples(st.just("ship"), transfers, routes, skus, units, holds),
    st.tuples(st.just("arrive"), transfers, nodes, arrivals),
    st.tuples(st.just("close"), transfers),
    st.tuples(st.just("wait"), st.integers(1, 2)),
    st.tuples(st.just("wait"), st.integers(1, 2)),
)


@dataclass
class Replay:
    """Feeds both pools; the naive one knows holds by their owners, and so do the steps."""

    shop: Shop
    naive: NaiveGoods = field(default_factory=lambda: NaiveGoods(set(SKUS), set(NODES)))
    owners: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    batch: list[Any] = field(default_factory=list)
    expected: list[Facts] = field(default_factory=list)

    def step(self, number: int, kind: str, *arguments: Any) -> None:
        if kind == "wait":
            self.flush()
            self.shop.clock.advance(timedelta(seconds=arguments[0]))
            return
        command = getattr(self, f"_{kind}")(str(number), *arguments)
        if command is None:
            return
        self.expected.append(self.naive.apply(command, to_us(self.shop.clock.now())))
        named = self._with_ids(command)  # which may flush the batch
        self.batch.append(named)

    def flush(self) -> None:
        answers = self.shop.apply(*self.batch)
        for command, answer, expected in zip(self.batch, answers, self.expected, strict=True):
            assert facts_of(answer) == expected, command
            self.ids.update({hold.owner: hold.hold for hold in answer.holds})
        self.batch, self.expected = [], []

    def _with_ids(self, command: Any) -> Any:
        """The command with ids of holds for owners; what this batch places has no id until it is flushed."""
        if not hasattr(command, "lines") or not any(getattr(line, "hold", None) for line in command.lines):
            return command
        (line,) = command.lines
        if line.hold in self.owners and line.hold not in self.ids:
            self.expected, expected = self.expected[:-1], self.expected[-1]
            self.flush()
            self.expected = [expected]
        named = line.model_copy(update={"hold": self.ids.get(line.hold, "no-such-hold")})
        return command.model_copy(update={"lines": (named,)})

    def _owner(self, pick: int | None) -> str | None:
        if pick is None:
            return None
        return self.owners[-1 - pick] if pick < len(self.owners) else "nobody"

    def _at(self, age_s: int | None) -> Any:
        return None if age_s is None else self.shop.clock.now() - timedelta(seconds=age_s)

    def _receive(self, key: str, lines: Any) -> Receive:
        return Receive(key=key, lines=lines)

    def _sell(self, key: str, lines: Any) -> CounterSale:
        return CounterSale(key=key, lines=lines)

    def _place(self, key: str, demand: Demand) -> PlaceHolds:
        self.owners.append(key)
        return PlaceHolds(key=key, lines=(HoldRequest(owner=key, line="1", **demand.model_dump()),))

    def _issue(self, key: str, pick: int, quantity: int) -> IssueHolds:
        return IssueHolds(key=key, lines=(Issue(hold=self._owner(pick) or "", quantity=quantity),))

    def _count(self, key: str, lines: Any, age_s: int | None) -> CountStock:
        return CountStock(key=key, lines=lines, counted_at=self._at(age_s))

    def _feed(self, key: str, lines: Any, age_s: int | None, sequence: int, source: str) -> AbsoluteFeed:
        return AbsoluteFeed(key=key, lines=lines, as_of=self._at(age_s), sequence=sequence, source=source)

    def _adjust(self, key: str, lines: Any, reason: AdjustReason) -> AdjustStock | None:
        if reason is AdjustReason.DAMAGE and any(line.quantity > 0 for line in lines):
            return None
        return AdjustStock(key=key, lines=lines, reason=reason)

    def _return(self, key: str, line: tuple[str, str, int, Any], pick: int | None) -> ReturnGoods:
        sku, node, quantity, disposition = line
        hold = self._owner(pick)
        back = Returned(sku=sku, node=node, quantity=quantity, disposition=disposition, hold=hold)
        return ReturnGoods(key=key, lines=(back,))

    def _change(self, key: str, lines: Any, sellable: bool, becomes: Any) -> ChangeCondition | None:
        was: Any = "sellable" if sellable else "quarantine"
        return None if was == becomes else ChangeCondition(key=key, lines=lines, was=was, becomes=becomes)

    def _ship(self, key: str, transfer: str, route: tuple[str, str], *goods: Any) -> ShipTransfer:
        sku, quantity, pick = goods
        line = Shipped(sku=sku, quantity=quantity, hold=self._owner(pick))
        return ShipTransfer(key=key, transfer=transfer, from_node=route[0], to_node=route[1], lines=(line,))

    def _arrive(self, key: str, transfer: str, node: str, lines: Any) -> ReceiveTransfer:
        return ReceiveTransfer(key=key, transfer=transfer, node=node, lines=lines)

    def _close(self, key: str, transfer: str) -> CloseTransfer:
        return CloseTransfer(key=key, transfer=transfer)


def facts_of(answer: StockAnswer) -> Facts:
    facts = Facts({refusal.code for refusal in answer.refusals}, [refusal.code for refusal in answer.row_refusals])
    for gone in answer.displaced:
        facts.displaced[gone.owner] += gone.quantity
    for missing in answer.shortages:
        facts.shortages[missing.sku, missing.node] += missing.quantity
    for one in answer.corrections:
        facts.corrections[one.sku, one.node, one.condition] += one.quantity
    return facts


def compare(shop: Shop, naive: NaiveGoods) -> None:
    """What the tables hold in the end is what the twin holds."""
    counters = rows(shop, "SELECT sku, node, condition, on_hand, reserved, shortage FROM omo_stock")
    found = {(sku, node, condition): tuple(rest) for sku, node, condition, *rest in counters if any(rest)}
    cells = {*naive.on_hand, *naive.short}
    kept = {cell: (naive.on_hand[cell], naive.reserved(cell), naive.short[cell]) for cell in cells}
    assert found == {cell: values for cell, values in kept.items() if any(values)}
    assert {hold.owner: (hold.pending, hold.issued, hold.returned) for hold in shop.holds(*naive.holds)} == {
        owner: (hold.pending, hold.issued, hold.returned) for owner, hold in naive.holds.items()
    }
    places = rows(shop, "SELECT sku, place, sum(quantity) FROM omo_posting WHERE place <> 'stock' GROUP BY sku, place")
    assert {(sku, place): int(units) for sku, place, units in places if units} == {
        place: units for place, units in naive.places.items() if units
    }
    moving = shop.database.read(POOL, lambda tx: transfers_of(tx, naive.transfers))
    assert {
        one.transfer: {line.sku: (line.shipped, line.received, line.lost, line.extra) for line in one.lines}
        for one in moving
    } == {name: {sku: tuple(parts.values()) for sku, parts in lines.items()} for name, lines in naive.transfers.items()}
    tasks = rows(shop, "SELECT sku, node, condition, opened_at_us, quantity FROM omo_count_task WHERE state = 'open'")
    assert sorted(tasks) == sorted((*cell, *task) for cell, open_tasks in naive.tasks.items() for task in open_tasks)
    assert shop.audit().findings == ()


@settings(max_examples=examples(40))
@given(history=st.lists(st.tuples(steps, st.booleans()), min_size=15, max_size=40))
def test_any_history_in_any_batches_is_what_the_naive_goods_do(history: list[tuple[tuple[Any, ...], bool]]) -> None:
    with open_shop("sqlite:///:memory:") as shop:
        replay = Replay(shop)
        replay.step(-2, "receive", (Demand(sku="MUG", node="TPE", quantity=12),))
        replay.step(-1, "ship", "T1", ("TPE", "KHH"), "MUG", 4, None)
        for number, (step, ends_batch) in enumerate(history):
            replay.step(number, *step)
            if ends_batch:
                replay.flush()
        replay.flush()
        compare(shop, replay.naive)
