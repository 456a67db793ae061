"""Random histories: the pool in random batches does what its naive twin does one command at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings, strategies as st

from omo_core.inventory import levels_of_skus
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    Demand,
    HoldRequest,
    Issue,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
    StockAnswer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.clock import from_us, to_us
from tests.effort import examples
from tests.inventory.conftest import NODES, POOL, SKUS, Shop, open_shop
from tests.naive_stock import Cell, NaivePool

# One SKU and one node that the pool does not know, among few cells: histories collide often.
cells = st.sampled_from(
    [("MUG", "TPE"), ("MUG", "TPE"), ("MUG", "KHH"), ("BOWL", "TPE"), ("CUP", "TPE"), ("MUG", "XXX")]
)
units = st.integers(1, 6)
lines = st.lists(st.tuples(cells, units), min_size=1, max_size=3)
picks = st.lists(st.integers(0, 9), min_size=1, max_size=2)
lifetimes = st.sampled_from([None, 1, 5])
steps = st.one_of(
    st.tuples(st.just("receive"), lines),
    st.tuples(st.just("receive"), lines),
    st.tuples(st.just("counter_sale"), lines),
    st.tuples(st.just("set_safety"), cells, st.integers(0, 3)),
    st.tuples(st.just("place_holds"), lines, lifetimes),
    st.tuples(st.just("place_holds"), lines, lifetimes),
    st.tuples(st.just("replace_holds"), lines, lifetimes, picks),
    st.tuples(st.just("confirm_holds"), picks),
    st.tuples(st.just("release_holds"), picks),
    st.tuples(st.just("issue_holds"), st.lists(st.tuples(st.integers(0, 9), units), min_size=1, max_size=2)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
)
Facts = tuple[set[str], dict[str, int], dict[Cell, int]]


@dataclass
class Replay:
    """Feeds both pools; holds are known by labels, because ids are the pool's own."""

    shop: Shop
    naive: NaivePool = field(default_factory=lambda: NaivePool(set(SKUS), set(NODES)))
    labels: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    batch: list[StockCommand] = field(default_factory=list)
    expected: list[Facts] = field(default_factory=list)
    placing: set[str] = field(default_factory=set)

    def step(self, number: int, kind: str, *arguments: Any) -> None:
        if kind == "wait":
            self.flush()
            self.shop.clock.advance(timedelta(seconds=arguments[0]))
            assert {hold.owner for hold in self.shop.expire()} == self.naive.expire(self.now_us)
            return
        said = getattr(self, f"say_{kind}")(number, *arguments)
        if self.placing & set(said.get("release", [])) | self.placing & set(said.get("holds", [])):
            self.flush()  # a command can only name holds whose ids were answered before
        command = self.command(number, kind, said)
        self.expected.append(self.naive.apply(kind, said, self.now_us))
        self.batch.append(command)

    @property
    def now_us(self) -> int:
        return to_us(self.shop.clock.now())

    def flush(self) -> None:
        answers = self.shop.apply(*self.batch)
        assert [facts_of(answer) for answer in answers] == self.expected
        for answer in answers:
            self.ids.update({hold.owner: hold.hold for hold in answer.holds})
        self.batch, self.expected = [], []
        self.placing.clear()

    def say_receive(self, _number: int, wanted: list[tuple[Cell, int]]) -> dict[str, Any]:
        return {"lines": wanted}

    say_counter_sale = say_receive

    def say_set_safety(self, _number: int, cell: Cell, quantity: int) -> dict[str, Any]:
        return {"cell": cell, "quantity": quantity}

    def say_replace_holds(
        self, number: int, wanted: list[tuple[Cell, int]], life_s: int | None, picked: list[int]
    ) -> dict[str, Any]:
        release = self.picked(picked)
        expires_at = None if life_s is None else self.now_us + life_s * 1_000_000
        named = [(f"{number}.{i}", cell, quantity) for i, (cell, quantity) in enumerate(wanted)]
        return {"release": release, "lines": named, "expires_at": expires_at}

    def say_place_holds(self, number: int, wanted: list[tuple[Cell, int]], life_s: int | None) -> dict[str, Any]:
        return self.say_replace_holds(number, wanted, life_s, [])

    def say_confirm_holds(self, _number: int, picked: list[int]) -> dict[str, Any]:
        return {"holds": self.picked(picked)}

    say_release_holds = say_confirm_holds

    def say_issue_holds(self, _number: int, picked: list[tuple[int, int]]) -> dict[str, Any]:
        parts = [(self.picked([pick])[0], quantity) for pick, quantity in picked]
        return {"lines": parts, "holds": [label for label, _quantity in parts]}

    def picked(self, picks: list[int]) -> list[str]:
        """Labels counted from the newest, so that references mostly hit; one that was never placed otherwise."""
        return [self.labels[-1 - pick] if pick < len(self.labels) else "nobody" for pick in picks]

    def command(self, number: int, kind: str, said: dict[str, Any]) -> StockCommand:
        key = str(number)
        if kind in ("receive", "counter_sale"):
            goods = tuple(Demand(sku=sku, node=node, quantity=quantity) for (sku, node), quantity in said["lines"])
            return Receive(key=key, lines=goods) if kind == "receive" else CounterSale(key=key, lines=goods)
        if kind == "set_safety":
            return SetSafety(key=key, sku=said["cell"][0], node=said["cell"][1], quantity=said["quantity"])
        if kind == "issue_holds":
            parts = tuple(Issue(hold=self.id_of(label), quantity=quantity) for label, quantity in said["lines"])
            return IssueHolds(key=key, lines=parts)
        if kind in ("confirm_holds", "release_holds"):
            holds = tuple(self.id_of(label) for label in said["holds"])
            return ConfirmHolds(key=key, holds=holds) if kind == "confirm_holds" else ReleaseHolds(key=key, holds=holds)
        places = tuple(
            HoldRequest(owner=label, line="1", sku=sku, node=node, quantity=quantity)
            for label, (sku, node), quantity in said["lines"]
        )
        self.labels.extend(place.owner for place in places)
        self.placing.update(place.owner for place in places)
        expires_at = None if said["expires_at"] is None else from_us(said["expires_at"])
        if kind == "place_holds":
            return PlaceHolds(key=key, lines=places, expires_at=expires_at)
        released = tuple(self.id_of(label) for label in said["release"])
        return ReplaceHolds(key=key, release=released, place=places, expires_at=expires_at)

    def id_of(self, label: str) -> str:
        return self.ids.get(label, f"never-placed-{label}")


def facts_of(answer: StockAnswer) -> Facts:
    return (
        {refusal.code for refusal in answer.refusals},
        {one.owner: one.quantity for one in answer.displaced},
        {(one.sku, one.node): one.quantity for one in answer.shortages},
    )


@settings(max_examples=examples(40))
@given(history=st.lists(st.tuples(steps, st.booleans()), min_size=5, max_size=30))
def test_any_history_in_any_batches_is_what_the_naive_pool_does(history: list[tuple[tuple[Any, ...], bool]]) -> None:
    with open_shop("sqlite:///:memory:") as shop:
        replay = Replay(shop)
        for number, (step, ends_batch) in enumerate(history):
            replay.step(number, *step)
            if ends_batch:
                replay.flush()
        replay.flush()
        naive = replay.naive
        found = shop.database.read(POOL, lambda tx: levels_of_skus(tx, (*SKUS, "CUP")))
        assert {
            (row.sku, row.node): {
                "on_hand": row.on_hand,
                "reserved": row.reserved,
                "safety": row.safety,
                "shortage": row.shortage,
            }
            for row in found
        } == naive.rows
        kept = {hold.owner: hold for hold in shop.holds(*naive.holds)}
        assert {
            label: (hold.pending, hold.issued, hold.released, hold.state.value) for label, hold in kept.items()
        } == {label: (hold.pending, hold.issued, hold.released, hold.state) for label, hold in naive.holds.items()}
        assert shop.audit().findings == ()
