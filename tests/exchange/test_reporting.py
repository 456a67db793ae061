"""What channels hear of their orders: every parcel once, nothing lost in a crash, what is refused kept with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from omo_core.channels.intents import (
    Acknowledge,
    Answer,
    Capabilities,
    Intent,
    IntentKind,
    ItemAnswer,
    ReadyForPickup,
    Ship,
    cannot,
)
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import ChannelAdapter
from omo_core.exchange import NotTold, Reported, Reporting
from omo_core.exchange.pauses import MOST_ATTEMPTS
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import FulfilmentOrder, ShippedParcel
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, OrderLine
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order, stock

ENDPOINT = "https://shop.example/omo"
CONFIG = NativeConfig(channel="shop", endpoint=ENDPOINT, carriers={"": "POST", "Black Cat": "YAMATO"})
DIED = timedelta(minutes=6)
"""After so long a round that died is not waited for."""


class Shop(NativeAdapter):
    """Takes parcels one by one, and does not want to hear that an order is taken."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.SHIP, IntentKind.READY_FOR_PICKUP}),
        partial_shipments=True,
        several_parcels=True,
        done_before=frozenset({"sent_already"}),
    )


class BreaksOff(Exception):
    """The process died here."""


class Office:
    """A channel's back office: what it was told, by key; `answers` are given one after the other, then all is well."""

    def __init__(self, adapter: ChannelAdapter) -> None:
        self.adapter = adapter
        self.told: dict[str, Intent] = {}
        self.asked: list[Intent] = []
        self.answers: list[ItemAnswer | Refusal | Exception] = []
        self.after: Callable[[Intent], None] = lambda _: None

    def send(self, intent: Intent) -> tuple[Answer, ...] | Refusal:
        made = self.adapter.requests(intent)
        if isinstance(made, Refusal):
            return made
        self.asked.append(intent)
        answer = self.answers.pop(0) if self.answers else ItemAnswer(item="1", ok=True)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Refusal):
            return answer
        if answer.ok:
            self.told.setdefault(intent.key, intent)
        self.after(intent)
        return (Answer(items=(answer,)),)

    def parcels(self) -> list[tuple[str, str, dict[str, int], bool]]:
        """(carrier, tracking, units by line, whether it was the last) of what it was told."""
        return [
            (parcel.carrier, parcel.tracking, dict(parcel.quantities), intent.completes)
            for intent in self.told.values()
            if isinstance(intent, Ship)
            for parcel in intent.parcels
        ]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def hub(shop_url: str, clock: ManualClock) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=clock, channels={"shop": Shop(CONFIG)}) as opened:
        opened.network.load(NETWORK)
        yield opened
        assert opened.audit().clean


@pytest.fixture
def office(hub: OrderHub) -> Office:
    return Office(Shop(CONFIG))


def accepted(hub: OrderHub, number: str, quantities: Mapping[str, int], **changes: Any) -> list[FulfilmentOrder]:
    """Work of an order that its nodes have accepted."""
    placed = hub.orders.place(order(number, quantities, **changes))
    for one in placed.fulfilment_orders:
        hub.fulfilment.accept(one.fulfilment, key=f"a/{one.fulfilment}")
    return list(placed.fulfilment_orders)


def ship(hub: OrderHub, work: FulfilmentOrder, **how: Any) -> None:
    assert not hub.fulfilment.ship(work.fulfilment, key=f"s/{work.fulfilment}", **how).refusals


def report(hub: OrderHub, office: Office, **how: Any) -> Reported:
    return hub.channels["shop"].report(office, **how)


def rows(hub: OrderHub) -> list[tuple[str, str, int]]:
    """(kind, state, attempts), the oldest first"""
    sql = "SELECT kind, state, attempts FROM omo_report ORDER BY happened_at_us, report"
    return [tuple(row) for row in hub.run(lambda tx: tx.connection.exec_driver_sql(sql).all(), read_only=True)]


def test_a_parcel_is_told_once_with_its_carrier_and_lines(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 2, "B": 1})
    assert report(hub, office) == Reported()
    ship(hub, work, tracking="T1", carrier="Black Cat")
    assert hub.channels.health()[0].to_report == 1
    assert report(hub, office) == Reported(told=1)
    assert report(hub, office) == Reported()
    assert office.parcels() == [("YAMATO", "T1", {"1": 2, "2": 1}, True)]
    (intent,) = office.asked
    assert isinstance(intent, Ship)
    assert (intent.external_id, intent.parcels[0].shipped_at) == ("1", NOON)
    assert hub.channels.health()[0].to_report == 0


def test_parts_of_an_order_are_told_one_by_one_and_the_last_says_so(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 2})
    near, far = accepted(hub, "1", {"A": 3})
    ship(hub, near, tracking="T1")
    assert report(hub, office).told == 1
    ship(hub, far, tracking="T2", carrier="DHL")
    assert report(hub, office, locations={FAR: "loc-9"}).told == 1
    assert office.parcels() == [("POST", "T1", {"1": 1}, False), ("DHL", "T2", {"1": 2}, True)]
    assert isinstance(office.asked[1], Ship)
    assert office.asked[1].parcels[0].location == "loc-9"


def test_several_parcels_of_one_node(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 3, "B": 1})
    first = ShippedParcel(tracking="T1", quantities=(("1", 2),))
    wrong = hub.fulfilment.ship(work.fulfilment, key="w", parcels=[first])
    assert wrong.refusals[0].code == "parcels_mismatch"
    twice = ShippedParcel(tracking="T2", quantities=(("1", 1), ("1", 1), ("2", 1)))
    assert hub.fulfilment.ship(work.fulfilment, key="x", parcels=[first, twice]).refusals[0].code == "parcels_mismatch"
    second = ShippedParcel(tracking="T2", quantities=(("1", 1), ("2", 1)))
    ship(hub, work, parcels=[first, second])
    assert report(hub, office).told == 2
    assert office.parcels() == [("POST", "T1", {"1": 2}, False), ("POST", "T2", {"1": 1, "2": 1}, True)]
    placed = hub.orders.find("shop", "1")
    assert placed is not None
    assert placed.fulfilment_orders[0].tracking == "T1"


@pytest.mark.parametrize(
    "how",
    [
        {"tracking": "T", "parcels": [ShippedParcel(tracking="T")]},
        {"parcels": [ShippedParcel(tracking="T"), ShippedParcel(tracking="U")]},
    ],
)
def test_parcels_are_said_once_and_with_their_lines(hub: OrderHub, how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="parcel"):
        hub.fulfilment.ship("f", key="s", **how)


def test_goods_that_wait_for_their_buyer(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", CLOSE): 2})
    pickup = Delivery(method=DeliveryMethod.PICKUP, pickup_node=CLOSE, fulfilment="work-7")
    (work,) = accepted(hub, "1", {"A": 2}, delivery=pickup)
    hub.fulfilment.ready(work.fulfilment, key="r")
    hub.fulfilment.ready(work.fulfilment, key="r again")
    assert report(hub, office).told == 1
    (intent,) = office.told.values()
    assert isinstance(intent, ReadyForPickup)
    assert (intent.external_id, intent.fulfilment, intent.quantities) == ("1", "work-7", ())
    hub.fulfilment.collect(work.fulfilment, key="c")
    assert report(hub, office) == Reported()
    assert hub.fulfilment.ready(work.fulfilment, key="late").refusals[0].code == "wrong_state"


def test_goods_that_wait_no_more_are_not_told_to_wait(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 2})
    (work,) = accepted(hub, "1", {"A": 2})
    hub.fulfilment.ready(work.fulfilment, key="r")
    hub.fulfilment.reject(work.fulfilment, reason="broken", key="no")
    report(hub, office)
    assert office.asked == []
    assert rows(hub) == [("ready", "done", 1)]


def test_what_a_till_sold_or_was_collected_is_told_to_nobody(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", CLOSE): 3})
    hub.stock.counter_sale(node=CLOSE, sku="A", quantity=1, key="till")
    pickup = Delivery(method=DeliveryMethod.PICKUP, pickup_node=CLOSE)
    (work,) = accepted(hub, "1", {"A": 2}, delivery=pickup)
    hub.fulfilment.collect(work.fulfilment, key="c")
    assert report(hub, office) == Reported()
    assert rows(hub) == []


def test_lines_and_works_are_named_as_the_channel_does(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 1})
    lines = (
        OrderLine(line="1", sku="A", quantity=2, current_quantity=2, fulfilment="fo-1", fulfilment_line="11"),
        OrderLine(line="2", sku="B", quantity=1, current_quantity=1, fulfilment="fo-2", fulfilment_line="22"),
    )
    (work,) = accepted(hub, "1", {}, lines=lines)
    ship(hub, work, tracking="T1")
    assert report(hub, office).told == 1
    told = [one for one in office.told.values() if isinstance(one, Ship)]
    assert [(one.fulfilment, one.parcels[0].quantities, one.completes) for one in told] == [
        ("fo-1", (("11", 2),), False),
        ("fo-2", (("22", 1),), True),
    ]


def test_a_part_that_was_taken_is_not_told_again_with_the_others(
    hub: OrderHub, office: Office, clock: ManualClock
) -> None:
    stock(hub, {(sku, NEAR): 1 for sku in "ABC"})
    lines = tuple(OrderLine(line=sku, sku=sku, quantity=1, current_quantity=1, fulfilment=f"fo-{sku}") for sku in "ABC")
    (work,) = accepted(hub, "1", {}, lines=lines)
    ship(hub, work, tracking="T1")
    refused = ItemAnswer(item="1", ok=False, code="bad_carrier")
    office.answers = [ItemAnswer(item="1", ok=True), refused, ItemAnswer(item="1", ok=False, code="busy", retry=True)]
    (late,) = report(hub, office).not_told
    assert (late.code, late.retry) == ("busy", True), "what is worth another try decides"
    clock.advance(timedelta(seconds=15))
    office.answers = [refused]
    (wrong,) = report(hub, office).not_told
    assert wrong.code == "bad_carrier"
    hub.channels["shop"].report_again()
    assert report(hub, office).told == 1
    asked = [one.fulfilment for one in office.asked if isinstance(one, Ship)]
    assert asked == ["fo-A", "fo-B", "fo-C", "fo-B", "fo-C", "fo-B"]


def test_a_set_is_told_when_its_last_part_left(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 4, ("B", FAR): 2})
    lines = (
        OrderLine(line="1", sku="S", quantity=2, current_quantity=2, bundle=True),
        OrderLine(line="1/1", sku="A", quantity=4, current_quantity=4, parent="1"),
        OrderLine(line="1/2", sku="B", quantity=2, current_quantity=2, parent="1"),
    )
    near, far = sorted(accepted(hub, "1", {}, lines=lines), key=lambda one: one.node == FAR)
    ship(hub, near, tracking="T1")
    assert report(hub, office).told == 1
    assert office.parcels() == [], "a channel that knows no parts hears of the set"
    ship(hub, far, tracking="T2")
    assert report(hub, office).told == 1
    assert office.parcels() == [("POST", "T2", {"1": 2}, True)]


class Whole(Shop):
    """Its orders leave whole, in one parcel or in several."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.SHIP, IntentKind.ACKNOWLEDGE}), several_parcels=True
    )


class One(Shop):
    """Its orders leave whole, in one parcel."""

    capabilities: ClassVar[Capabilities] = Capabilities(intents=frozenset({IntentKind.SHIP}))


@pytest.mark.parametrize(("kind", "trackings"), [(Whole, ["T1", "T2"]), (One, ["T1"])])
def test_an_order_that_must_leave_whole_is_told_when_it_has(
    hub: OrderHub, kind: type[Shop], trackings: list[str]
) -> None:
    hub.channels.add(kind(CONFIG), name="shop")
    office = Office(kind(CONFIG))
    stock(hub, {("A", NEAR): 1, ("A", FAR): 2})
    near, far = accepted(hub, "1", {"A": 3})
    ship(hub, near, tracking="T1")
    report(hub, office)
    assert office.parcels() == []
    ship(hub, far, tracking="T2")
    assert report(hub, office, limit=1).told == 2
    assert office.parcels() == [("POST", tracking, {}, True) for tracking in trackings]
    assert report(hub, office) == Reported()


def test_an_order_is_acknowledged_once_a_node_has_it(hub: OrderHub) -> None:
    hub.channels.add(Whole(CONFIG), name="shop")
    office = Office(Whole(CONFIG))
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(order("1", {"A": 1}))
    hub.orders.place(order("2", {"A": 1}, hold_reason="not paid"))
    hub.orders.place(order("3", {"B": 1}))
    assert report(hub, office).told == 1
    assert [(one.kind, getattr(one, "external_id", "")) for one in office.asked] == [("acknowledge", "1")]
    assert isinstance(office.asked[0], Acknowledge)
    assert report(hub, office) == Reported()


def test_what_the_channel_has_no_call_for_is_said_once(hub: OrderHub) -> None:
    class Deaf(Shop):
        capabilities: ClassVar[Capabilities] = Capabilities()

    hub.channels.add(Deaf(CONFIG), name="shop")
    stock(hub, {("A", NEAR): 2})
    (work,) = accepted(hub, "1", {"A": 2})
    hub.fulfilment.ready(work.fulfilment, key="r")
    ship(hub, work, tracking="T1")
    done = report(hub, Office(Deaf(CONFIG)))
    assert (done.told, done.skipped, [one.code for one in done.cannot]) == (0, 2, ["capability_missing"] * 2)
    assert report(hub, Office(Deaf(CONFIG))) == Reported()
    assert {state for _, state, _ in rows(hub)} == {"skipped"}


def test_what_others_told_before_is_let_go(hub: OrderHub, office: Office, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 2})
    before, after = accepted(hub, "1", {"A": 1}) + accepted(hub, "2", {"A": 1})
    ship(hub, before, tracking="T1")
    clock.advance(timedelta(hours=1))
    ship(hub, after, tracking="T2")
    assert report(hub, office, since=NOON + timedelta(minutes=1)) == Reported(told=1, skipped=1)
    assert [tracking for _, tracking, _, _ in office.parcels()] == ["T2"]


def test_a_busy_channel_is_told_later_and_later(hub: OrderHub, office: Office, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1})
    ship(hub, work, tracking="T1")
    busy = ItemAnswer(item="1", ok=False, code="http_503", retry=True)
    office.answers = [busy, busy]
    (late,) = report(hub, office).not_told
    assert (late.code, late.retry) == ("http_503", True)
    assert report(hub, office) == Reported(), "not before its time"
    clock.advance(timedelta(seconds=15))
    assert len(report(hub, office).not_told) == 1
    clock.advance(timedelta(seconds=15))
    assert report(hub, office) == Reported()
    clock.advance(timedelta(seconds=15))
    assert report(hub, office).told == 1
    assert {one.key for one in office.asked} == {office.asked[0].key}


def test_a_channel_that_stays_away_is_not_asked_for_ever(hub: OrderHub, office: Office, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1})
    ship(hub, work, tracking="T1")
    office.answers = [ItemAnswer(item="1", ok=False, code="unreachable", retry=True)] * MOST_ATTEMPTS
    for _ in range(MOST_ATTEMPTS):
        report(hub, office)
        clock.advance(timedelta(hours=1))
    assert rows(hub) == [("ship", "parked", MOST_ATTEMPTS)]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ItemAnswer(item="1", ok=False, code="bad_carrier", message="no such carrier"), "bad_carrier"),
        (cannot("shop", "ship", "a line leaves whole there"), "capability_missing"),
        (InvalidInput("'x' is no id"), "invalid_input"),
    ],
)
def test_what_is_refused_is_parked_and_told_again_after_a_fix(
    hub: OrderHub, office: Office, answer: Any, code: str
) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1, "B": 1})
    ship(hub, work, tracking="T1")
    office.answers = [answer, answer]
    (wrong,) = report(hub, office).not_told
    assert (wrong.code, wrong.retry) == (code, False)
    assert report(hub, office) == Reported()
    (parked,) = hub.channels["shop"].not_reported()
    assert (parked.report, parked.reason_code) == (wrong.report, code)
    health = hub.channels.health()[0]
    assert (health.to_report, health.reports_parked, health.unreported_since) == (0, 1, NOON)
    office.answers = []
    assert hub.channels["shop"].report_again(wrong.report) == 1
    assert hub.channels["shop"].report_again() == 0
    assert report(hub, office).told == 1


def test_what_the_channel_says_is_so_already_is_done(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 2})
    first, second = accepted(hub, "1", {"A": 1}) + accepted(hub, "2", {"A": 1})
    ship(hub, first, tracking="T1")
    ship(hub, second, tracking="T2")
    office.answers = [ItemAnswer(item="1", ok=False, code=code) for code in ("sent_already", "E17")]
    assert report(hub, office, done_before={"E17"}) == Reported(told=2)


def test_goods_without_a_number_wait_for_somebody_to_say_what_to_tell(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1})
    ship(hub, work)
    (wrong,) = report(hub, office).not_told
    assert (wrong.code, office.asked) == ("no_tracking", [])
    hub.channels.add(Shop(CONFIG.model_copy(update={"untracked": "by hand"})), name="shop")
    hub.channels["shop"].report_again()
    assert report(hub, office).told == 1
    assert office.parcels() == [("POST", "by hand", {"1": 1}, True)]


def test_a_parcel_of_no_carrier_waits_for_one(hub: OrderHub, office: Office) -> None:
    hub.channels.add(Shop(NativeConfig(channel="shop", endpoint=ENDPOINT)), name="shop")
    stock(hub, {("A", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1})
    ship(hub, work, tracking="T1")
    (wrong,) = report(hub, office).not_told
    assert wrong == NotTold(wrong.report, "no_carrier", wrong.message)


def test_rounds_do_not_tell_the_same_at_once(hub: OrderHub, office: Office) -> None:
    stock(hub, {("A", NEAR): 1})
    (work,) = accepted(hub, "1", {"A": 1})
    ship(hub, work, tracking="T1")
    between: list[Reported] = []
    office.after = lambda _: between.append(report(hub, Office(Shop(CONFIG))))
    assert report(hub, office).told == 1
    assert between == [Reported()]


class Breaking:
    """Transactions, of which the n-th one, and all after it, never happen."""

    def __init__(self, hub: OrderHub, left: int) -> None:
        self.hub, self.left = hub, left

    def __call__(self, work: Any, /, *, read_only: bool = False) -> Any:
        if not self.left:
            raise BreaksOff
        self.left -= 1
        return self.hub.run(work, read_only=read_only)


def test_rounds_that_break_off_anywhere_lose_nothing(hub: OrderHub, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 40, ("B", FAR): 40})
    adapter = hub.channels["shop"].adapter
    for number in range(8):
        office = Office(Shop(CONFIG))
        for work in accepted(hub, str(number), {"A": 1, "B": 1}):
            ship(hub, work, tracking=f"T{number}/{work.node}")

        def dies(intent: Intent, office: Office = office, left: int = number) -> None:
            if len(office.asked) > left // 3:
                raise BreaksOff

        office.after = dies if number % 2 else office.after
        with suppress(BreaksOff):
            Reporting(adapter=adapter, run=Breaking(hub, number if number < 5 else 2)).round(office)
        office.after = lambda _: None
        clock.advance(DIED)
        assert not report(hub, office).not_told
        told = {one.parcels[0].tracking for one in office.told.values() if isinstance(one, Ship)}
        assert told == {f"T{number}/{NEAR}", f"T{number}/{FAR}"}
        assert len(office.told) == 2, "told again under the same key"
    assert {state for _, state, _ in rows(hub)} == {"done"}
