"""Random days: whatever buyers, nodes and tills do in whatever order, no invariant breaks and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings, strategies as st

from omo_core.hub import OrderHub
from omo_core.model.fulfilment import FulfilmentState, OrderState, PlacedOrder
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.values import GeoPoint
from omo_core.storage.clock import ManualClock
from tests.effort import examples
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order

NODES = (NEAR, CLOSE, FAR)
DOOR = Address(point=GeoPoint(latitude=25.031, longitude=121.561))
DELIVERIES = (
    Delivery(address=DOOR),
    Delivery(method=DeliveryMethod.PICKUP, pickup_node=CLOSE),
    Delivery(method=DeliveryMethod.ONE_HOUR, address=DOOR),
)
HOLDS = (None, None, "not paid", "a wish to cancel")

numbers = st.integers(0, 3)
baskets = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 3), min_size=1, max_size=3)
steps = st.one_of(
    st.tuples(st.just("receive"), st.sampled_from("ABC"), st.sampled_from(NODES), st.integers(1, 4)),
    st.tuples(st.just("place"), numbers, baskets, st.integers(0, 2), st.booleans(), st.sampled_from(HOLDS)),
    st.tuples(st.just("again"), numbers, st.booleans(), st.sampled_from(HOLDS)),
    st.tuples(st.just("release"), numbers, st.booleans()),
    st.tuples(st.just("cancel"), numbers),
    st.tuples(st.just("sell"), st.sampled_from("ABC"), st.sampled_from(NODES), st.integers(1, 3)),
    st.tuples(st.sampled_from(["accept", "reject", "ship", "collect"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["wave", "retry", "tick"])),
)


class Day:
    """One pool and the verbs of its day; every command gets a key of its own."""

    def __init__(self, route: tuple[str, ...]) -> None:
        self.clock = ManualClock(NOON)
        self.hub = OrderHub.open("sqlite:///:memory:", clock=self.clock)
        self.hub.network.load(NETWORK.model_copy(update={"policy": {"solver": {"route": route}}}))
        self.count = 0
        self.received = dict.fromkeys("ABC", 0)

    def key(self) -> str:
        self.count += 1
        return str(self.count)

    def do(self, step: tuple[object, ...]) -> None:
        verbs: dict[str, Callable[..., object]] = {
            "receive": self.receive,
            "place": self.place,
            "cancel": lambda number: self.hub.orders.cancel("shop", str(number)),
            "sell": lambda sku, node, units: self.hub.stock.counter_sale(
                node=node, sku=sku, quantity=units, key=self.key()
            ),
            "again": self.again,
            "release": lambda number, offer: self.hub.orders.release("shop", str(number), key=self.key(), offer=offer),
            "wave": self.hub.sourcing.run_wave,
            "retry": self.hub.sourcing.retry_short,
            "tick": lambda: self.clock.advance(timedelta(minutes=10)),
        }
        name, *arguments = step
        if name in verbs:
            verbs[str(name)](*arguments)
        else:
            self.answer(str(name), *arguments)

    def receive(self, sku: str, node: str, units: int) -> None:
        assert self.hub.stock.receive(node=node, sku=sku, quantity=units, key=self.key()).applied
        self.received[sku] += units

    def place(self, number: int, basket: dict[str, int], delivery: int, offer: bool, hold: str | None) -> None:
        version = self.count = self.count + 1
        changes = {"source_version": version, "delivery": DELIVERIES[delivery], "hold_reason": hold}
        self.hub.orders.place(order(str(number), basket, **changes), offer=offer)

    def again(self, number: int, offer: bool, hold: str | None) -> None:
        """The same wants under another reason to hold them, or none."""
        known = self.hub.orders.document("shop", str(number))
        if known is not None:
            self.count += 1
            newer = known.model_copy(update={"source_version": self.count, "hold_reason": hold})
            self.hub.orders.place(newer, offer=offer)

    def answer(self, verb: str, place: object) -> None:
        offers = self.hub.fulfilment.open()
        if not offers:
            return
        chosen = offers[int(str(place)) % len(offers)].fulfilment
        if verb == "reject":
            self.hub.fulfilment.reject(chosen, reason="no", key=self.key())
        else:
            getattr(self.hub.fulfilment, verb)(chosen, key=self.key())

    def check(self) -> None:
        report = self.hub.audit()
        assert report.clean, report.findings
        live = {FulfilmentState.OFFERED, FulfilmentState.ACCEPTED}
        for placed in self.hub.orders.page():
            assert (placed.state is OrderState.IN_FULFILMENT) == any(
                one.state in live for one in placed.fulfilment_orders
            )
            assert not (placed.held and any(one.state == "offered" for one in placed.fulfilment_orders))
            self.holds_match(placed)

    def holds_match(self, placed: PlacedOrder) -> None:
        """Pending goods of an order are those of its live fulfilment orders, or provisional ones while it waits."""
        pending = {hold.hold for hold in self.hub.stock.holds_of([str(placed.order)]) if hold.pending}
        promised = {
            line.hold
            for one in placed.fulfilment_orders
            if one.state in (FulfilmentState.OFFERED, FulfilmentState.ACCEPTED)
            for line in one.lines
        }
        assert promised <= pending
        assert pending == promised or placed.held or placed.state in (OrderState.WAITING, OrderState.UNFULFILLABLE)


@settings(max_examples=examples(40))
@given(st.lists(steps, min_size=5, max_size=30), st.sampled_from([(), ("one_hour",), ("pickup", "ship")]))
def test_no_history_breaks_an_invariant(history: list[tuple[object, ...]], route: tuple[str, ...]) -> None:
    day = Day(route)
    with day.hub:
        for step in history:
            day.do(step)
        day.check()
