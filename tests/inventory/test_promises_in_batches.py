"""Random histories of promises: a batch decides as its commands would one by one, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.inventory.backorders import backorder_caps, backorders_of
from omo_core.inventory.capacity import claims_of, slot_levels
from omo_core.inventory.quotas import quotas_of
from omo_core.model.promised import ClaimRef, QuotaKind, SlotRequest
from omo_core.model.promises import (
    BackorderRequest,
    ConvertBackorders,
    DropQuota,
    FinishSlots,
    PartOfHold,
    PlaceBackorders,
    ReleaseSlots,
    ReleaseUnits,
    SetBackorderCap,
    SetCapacity,
    SetQuota,
    SlotCapacity,
)
from omo_core.model.stock import PlaceHolds, ReplaceHolds, SetSafety, StockAnswer
from omo_core.model.stock_commands import StockCommand
from tests.effort import examples
from tests.inventory.conftest import NODES, POOL, Shop, open_shop, receive, requests, sell

NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
OWNERS = ("a", "b", "c")

skus = st.sampled_from(["MUG", "MUG", "BOWL"])
nodes = st.sampled_from(NODES)
channels = st.sampled_from([None, "vip", "web", "app"])
units = st.integers(1, 5)
lines = st.lists(st.tuples(skus, nodes, units), min_size=1, max_size=2)
owners = st.sampled_from(OWNERS)
slots = st.lists(st.tuples(owners, nodes, st.integers(1, 2)), max_size=1)
picks = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("receive"), lines),
    st.tuples(st.just("receive"), lines),
    st.tuples(st.just("sell"), lines),
    st.tuples(st.just("safety"), skus, nodes, st.integers(0, 3)),
    st.tuples(st.just("place"), lines, channels, slots),
    st.tuples(st.just("place"), lines, channels, slots),
    st.tuples(st.just("replace"), lines, channels, slots, picks),
    st.tuples(st.just("release"), picks, units),
    st.tuples(st.just("quota"), skus, st.sampled_from(["vip", "web"]), st.sampled_from(QuotaKind), st.integers(0, 12)),
    st.tuples(st.just("drop"), skus, st.sampled_from(["vip", "web"])),
    st.tuples(st.just("capacity"), nodes, st.integers(0, 4)),
    st.tuples(st.just("free_slots"), owners, st.sampled_from([None, *NODES])),
    st.tuples(st.just("finish_slots"), owners, nodes),
    st.tuples(st.just("cap"), skus, st.sampled_from([None, *NODES]), st.integers(0, 9)),
    st.tuples(st.just("ahead"), owners, st.tuples(skus, st.sampled_from([None, *NODES]), units), channels),
    st.tuples(st.just("convert"), skus, nodes, st.integers(1, 3)),
)
BEGIN: tuple[tuple[Any, ...], ...] = (
    ("receive", [("MUG", node, 7) for node in NODES] + [("BOWL", "TPE", 4)]),
    ("quota", "MUG", "vip", QuotaKind.RING_FENCED, 6),
    ("quota", "MUG", "web", QuotaKind.CAPPED, 5),
    *(("capacity", node, 3) for node in NODES),
    *(("cap", "MUG", node, 6) for node in (None, "TPE")),
)
"""What every history begins with: enough of everything to be taken, too little to be taken often."""

histories = st.lists(st.lists(steps, min_size=1, max_size=8), min_size=2, max_size=5)


@dataclass
class Side:
    """One of the two pools; holds are known by the order in which they were placed, because ids are the pool's own."""

    shop: Shop
    holds: list[str] = field(default_factory=list)

    def command(self, key: str, verb: str, *details: Any) -> StockCommand:
        return getattr(self, f"_{verb}")(key, *details)  # type: ignore[no-any-return]

    def _held(self, pick: int) -> str:
        return self.holds[-1 - pick] if pick < len(self.holds) else "no-such-hold"

    def _receive(self, key: str, goods: Any) -> StockCommand:
        return receive(key, *goods)

    def _sell(self, key: str, goods: Any) -> StockCommand:
        return sell(key, *goods)

    def _safety(self, key: str, sku: str, node: str, quantity: int) -> StockCommand:
        return SetSafety(key=key, sku=sku, node=node, quantity=quantity)

    def _place(self, key: str, goods: Any, channel: str | None, work: Any) -> StockCommand:
        return PlaceHolds(key=key, lines=requests(key, *goods), channel=channel, slots=_slots(work))

    def _replace(self, key: str, goods: Any, channel: str | None, work: Any, pick: int) -> StockCommand:
        return ReplaceHolds(
            key=key,
            release=(self._held(pick),),
            place=requests(key, *goods),
            channel=channel,
            slots=_slots(work),
            release_slots=tuple(ClaimRef(owner=owner) for owner, _, _ in work),
        )

    def _release(self, key: str, pick: int, quantity: int) -> StockCommand:
        return ReleaseUnits(key=key, lines=(PartOfHold(hold=self._held(pick), quantity=quantity),))

    def _quota(self, key: str, sku: str, channel: str, kind: QuotaKind, quantity: int) -> StockCommand:
        return SetQuota(key=key, sku=sku, channel=channel, quota_kind=kind, units=quantity)

    def _drop(self, key: str, sku: str, channel: str) -> StockCommand:
        return DropQuota(key=key, sku=sku, channel=channel)

    def _capacity(self, key: str, node: str, quantity: int) -> StockCommand:
        return SetCapacity(key=key, slots=(SlotCapacity(node=node, slot_at=NINE, capacity=quantity),))

    def _free_slots(self, key: str, owner: str, node: str | None) -> StockCommand:
        return ReleaseSlots(key=key, claims=(ClaimRef(owner=owner, node=node),))

    def _finish_slots(self, key: str, owner: str, node: str) -> StockCommand:
        return FinishSlots(key=key, claims=(ClaimRef(owner=owner, node=node, slot_at=NINE),))

    def _cap(self, key: str, sku: str, node: str | None, quantity: int) -> StockCommand:
        return SetBackorderCap(key=key, sku=sku, node=node, cap=quantity)

    def _ahead(self, key: str, owner: str, ask: tuple[str, str | None, int], channel: str | None) -> StockCommand:
        sku, node, quantity = ask
        line = BackorderRequest(owner=owner, line="1", sku=sku, node=node, quantity=quantity)
        return PlaceBackorders(key=key, lines=(line,), channel=channel)

    def _convert(self, key: str, sku: str, node: str, limit: int) -> StockCommand:
        return ConvertBackorders(key=key, sku=sku, node=node, limit=limit)

    def told(self, answers: list[StockAnswer]) -> list[Any]:
        """What the pool said, without its ids."""
        said: list[Any] = []
        for answer in answers:
            refusals = [(one.code, {**one.parameters, "hold": ""}) for one in answer.refusals]
            holds = [(one.owner, one.sku, one.node, one.pending, one.state, one.channel) for one in answer.holds]
            ahead = [(one.owner, one.sku, one.node, one.open, one.converted) for one in answer.backorders]
            displaced = [(one.owner, one.line, one.quantity) for one in answer.displaced]
            said.append((refusals, holds, list(answer.claims), ahead, displaced))
            if answer.kind in ("place_holds", "replace_holds"):
                self.holds.extend(one.hold for one in answer.holds if one.state == "placed")
        return said

    def state(self) -> list[Any]:
        """Every counter that promises have."""

        def read(tx: Any) -> list[Any]:
            quotas = [(one.sku, one.channel, one.kind, one.units, one.used) for one in quotas_of(tx, ["BOWL", "MUG"])]
            caps = [(one.sku, one.node, one.cap, one.promised) for one in backorder_caps(tx, ["BOWL", "MUG"])]
            levels = [(one.capacity, one.used) for one in slot_levels(tx, [(node, NINE) for node in NODES])]
            waiting = [(one.owner, one.open, one.converted) for one in backorders_of(tx, OWNERS)]
            return [quotas, caps, levels, waiting, claims_of(tx, OWNERS)]

        return self.shop.database.read(POOL, read)


def _slots(work: Any) -> tuple[SlotRequest, ...]:
    return tuple(SlotRequest(owner=owner, node=node, slot_at=NINE, units=quantity) for owner, node, quantity in work)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(histories)
def test_a_batch_decides_as_its_commands_one_by_one(history: list[list[tuple[Any, ...]]]) -> None:
    with open_shop("sqlite:///:memory:") as together, open_shop("sqlite:///:memory:") as alone:
        batched, single = Side(together), Side(alone)
        for side in (batched, single):
            begun = side.shop.apply(*(side.command(f"begin/{n}", *step) for n, step in enumerate(BEGIN)))
            assert all(answer.applied for answer in begun)
        for number, batch in enumerate(history):
            keyed = [(f"{number}/{n}", *step) for n, step in enumerate(batch)]
            said = batched.told(together.apply(*(batched.command(*step) for step in keyed)))
            # Holds of one batch are not known to its own commands on either side.
            commands = [single.command(*step) for step in keyed]
            assert said == single.told([answer for command in commands for answer in alone.apply(command)])
            together.clock.advance(timedelta(seconds=1))
            alone.clock.advance(timedelta(seconds=1))
        assert batched.state() == single.state()
        assert together.audit().findings == alone.audit().findings == ()
