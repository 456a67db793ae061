"""What channels are told: only what changed, nothing lost in a crash, nothing old over something new."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.intents import Answer, Capabilities, Intent, IntentKind, ItemAnswer, SetStock, StockMode, cannot
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.exchange import Listing, NotTaken, Publication, Published
from omo_core.hub import OrderHub
from omo_core.inventory.publication import told_units
from omo_core.model.availability import PublicationRule
from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import ManualClock
from tests.effort import examples
from tests.orders.conftest import NETWORK, NOON

RULE = PublicationRule(channel="shop")
LISTINGS = {sku: Listing(listing=sku.lower()) for sku in "ABCD"}
LOCATIONS = {"NEAR": "near-1", "CLOSE": "close-1"}
DIED = timedelta(minutes=6)
"""After so long a round that died is not waited for."""


class Shop(NativeAdapter):
    """Takes two absolute levels at once, by location."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.SET_STOCK}),
        stock_modes=frozenset(StockMode),
        stock_by_location=True,
        stock_batch=2,
    )


class BreaksOff(Exception):
    """The process died here."""


class Shelf:
    """A channel's stock levels as they are shown; `before` and `after` are called around each request."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, str | None], int] = {}
        self.intents: list[SetStock] = []
        self.bad: dict[str, ItemAnswer | None] = {}
        self.unsayable: set[str] = set()
        self.before: Callable[[SetStock], None] = lambda _: None
        self.after: Callable[[SetStock], None] = lambda _: None

    def send(self, intent: Intent) -> tuple[Answer, ...] | Refusal:
        assert isinstance(intent, SetStock)
        assert intent.mode is StockMode.ABSOLUTE
        assert len(intent.levels) <= Shop.capabilities.stock_batch
        if self.unsayable.intersection(level.listing for level in intent.levels):
            return cannot("shop", intent.kind, "a listing is a number there")
        self.before(intent)
        self.intents.append(intent)
        answers = []
        for level in intent.levels:
            bad = self.bad.get(level.listing, level)
            if bad is level:
                self.shown[level.listing, level.location] = level.units
                answers.append(ItemAnswer(item=level.listing, ok=True))
            elif isinstance(bad, ItemAnswer):
                answers.append(bad)
        self.after(intent)
        return (Answer(items=tuple(answers)),)

    def take_sent(self) -> list[tuple[str, int]]:
        """What was sent since the last time, in order."""
        sent = [(level.listing, level.units) for intent in self.intents for level in intent.levels]
        self.intents.clear()
        return sent


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def hub(shop_url: str, clock: ManualClock) -> Iterator[OrderHub]:
    with opened(shop_url, clock) as found:
        yield found
        assert found.audit().clean


def opened(url: str, clock: ManualClock) -> OrderHub:
    hub = OrderHub.open(url, clock=clock, channels={"shop": Shop(NativeConfig(channel="shop"))})
    hub.network.load(NETWORK)
    return hub


def put(hub: OrderHub, **units: int) -> None:
    for sku, quantity in units.items():
        if quantity > 0:
            hub.stock.receive(node="NEAR", sku=sku, quantity=quantity, key=hub.run(lambda tx: tx.new_id()))
        else:
            sell(hub, sku, -quantity)


def sell(hub: OrderHub, sku: str, quantity: int) -> None:
    hub.stock.counter_sale(node="NEAR", sku=sku, quantity=quantity, key=hub.run(lambda tx: tx.new_id()))


def publish(hub: OrderHub, shelf: Shelf, run: Any = None, **changes: Any) -> Published:
    again: Collection[str] = changes.pop("again", ())
    settings: dict[str, Any] = {"adapter": hub.channels["shop"].adapter, "rule": RULE, "listings": LISTINGS} | changes
    found = Publication(**settings, run=run or hub.run).round(shelf, again=again)
    assert isinstance(found, Published)
    return found


def rows(hub: OrderHub) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(sku, node) → (units, sending, version)"""
    sql = "SELECT sku, node, units, sending, version FROM omo_published ORDER BY sku, node"
    found = hub.run(lambda tx: tx.connection.exec_driver_sql(sql).all(), read_only=True)
    return {(sku, node): (units, sending, version) for sku, node, units, sending, version in found}


def is_true(hub: OrderHub, shelf: Shelf) -> bool:
    """Whether the channel shows what the pool can promise, of every listing."""
    return shelf.shown == {(sku.lower(), None): hub.stock.available(sku, channel="shop") for sku in LISTINGS}


def test_a_channel_hears_of_every_listing_and_then_only_of_changes(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=3)
    assert hub.channels["shop"].publish(shelf, LISTINGS) == Published(told=4)
    assert shelf.shown == {("a", None): 5, ("b", None): 3, ("c", None): 0, ("d", None): 0}
    assert hub.channels["shop"].publish(shelf, LISTINGS) == Published()
    was = rows(hub)
    shelf.take_sent()
    for quantity in (1, 1, 1):
        sell(hub, "A", quantity)
    assert publish(hub, shelf) == Published(told=1)
    assert shelf.take_sent() == [("a", 2)]
    now = rows(hub)
    assert {cell for cell in now if now[cell] != was[cell]} == {("A", "")}, "other rows were touched"
    assert all(sending == 0 for _, sending, _ in now.values())


def test_a_round_without_changes_writes_nothing(hub: OrderHub) -> None:
    put(hub, A=5)
    publish(hub, Shelf())

    def only_reads(work: Any, /, *, read_only: bool = False) -> Any:
        assert read_only
        return hub.run(work, read_only=True)

    assert publish(hub, Shelf(), only_reads) == Published()


def test_what_has_no_listing_is_counted_until_it_has_one(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=3)
    few = {"A": LISTINGS["A"]}
    assert publish(hub, shelf, listings=few) == Published(told=1, unlisted=1)
    assert publish(hub, shelf, listings=few) == Published(unlisted=1)
    assert publish(hub, shelf) == Published(told=3)
    assert is_true(hub, shelf)


def test_falls_are_told_before_rises(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=5, C=5, D=5)
    publish(hub, shelf)
    shelf.take_sent()
    put(hub, A=1, B=1, C=-1, D=-1)
    publish(hub, shelf)
    assert shelf.take_sent() == [("c", 4), ("d", 4), ("a", 6), ("b", 6)]


def test_a_sale_in_the_middle_of_a_round_is_not_overwritten(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=5, C=5, D=5)

    def sell_once(intent: SetStock) -> None:
        shelf.before = lambda _: None
        put(hub, A=-1, D=-3)
        assert intent.levels[0].listing == "a"

    shelf.before = sell_once
    publish(hub, shelf)
    assert shelf.shown["d", None] == 2, "computed anew right before it was sent"
    assert shelf.shown["a", None] == 5, "this one was on its way already"
    publish(hub, shelf)
    assert is_true(hub, shelf)


def test_a_number_that_changed_back_meanwhile_is_not_sent(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=5, C=5)
    publish(hub, shelf)
    put(hub, A=1, B=1, C=1)

    def back(_: SetStock) -> None:
        put(hub, C=-1)
        shelf.before = lambda _: None

    shelf.take_sent()
    shelf.before = back
    assert publish(hub, shelf) == Published(told=2)
    assert shelf.take_sent() == [("a", 6), ("b", 6)]


@pytest.mark.parametrize("answer", [ItemAnswer(item="b", ok=False, code="locked", message="on sale"), None])
def test_what_is_not_taken_is_told_again_whatever_it_is_then(hub: OrderHub, answer: ItemAnswer | None) -> None:
    shelf = Shelf()
    put(hub, A=5, B=3)
    publish(hub, shelf)
    put(hub, A=-1, B=-1)
    shelf.bad["b"] = answer
    code, message = ("locked", "on sale") if answer else ("unanswered", None)
    refused = (NotTaken("B", "", code, message),)
    assert publish(hub, shelf) == Published(told=1, refused=refused)
    put(hub, B=1)  # back to what the channel was told before
    assert publish(hub, shelf) == Published(refused=refused)
    del shelf.bad["b"]
    shelf.shown["b", None] = 99  # nobody knows what it shows
    assert publish(hub, shelf) == Published(told=1)
    assert is_true(hub, shelf)


def test_one_level_that_cannot_be_said_keeps_no_other_back(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=1, B=2, C=3, D=4)
    shelf.unsayable.add("b")
    found = publish(hub, shelf)
    assert (found.told, [(one.sku, one.code) for one in found.refused]) == (3, [("B", "capability_missing")])
    shelf.unsayable.clear()
    assert publish(hub, shelf) == Published(told=1)
    assert is_true(hub, shelf)


def test_an_adapter_that_raises_for_one_level_keeps_no_other_back(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=1, B=2)

    def refuse(intent: SetStock) -> None:
        if any(level.listing == "b" for level in intent.levels):
            raise InvalidInput("the SKU b is not a number; correct the listing")

    shelf.before = refuse
    found = publish(hub, shelf)
    assert (found.told, [one.sku for one in found.refused]) == (3, ["B"])


def test_a_channel_that_is_away_ends_the_round(hub: OrderHub) -> None:
    listings = {**LISTINGS, "E": Listing(listing="e")}
    shelf = Shelf()
    put(hub, A=1, B=2, C=3, D=4)
    shelf.bad = {name: ItemAnswer(item=name, ok=False, code="timed_out", retry=True) for name in "abcde"}
    found = publish(hub, shelf, listings=listings)
    assert (found.told, len(found.refused), found.waiting) == (0, 4, 1)
    assert len(shelf.intents) == 2
    shelf.bad = {}
    assert publish(hub, shelf) == Published(told=4, unlisted=1)


def test_levels_that_cannot_be_absolute_are_refused(hub: OrderHub) -> None:
    class Relative(Shop):
        capabilities: ClassVar[Capabilities] = Capabilities(
            intents=frozenset({IntentKind.SET_STOCK}), stock_modes=frozenset({StockMode.RELATIVE})
        )

    class Deaf(Shop):
        capabilities: ClassVar[Capabilities] = Capabilities()

    put(hub, A=1)
    for adapter in (Relative(), Deaf()):
        shelf = Shelf()
        hub.channels.add(adapter, name="other")
        refused = hub.channels["other"].publish(shelf, LISTINGS)
        assert isinstance(refused, Refusal)
        assert refused.code == "capability_missing"
        assert not shelf.intents
    assert rows(hub) == {}


def test_locations_are_told_their_own_numbers(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5)
    hub.stock.receive(node="CLOSE", sku="A", quantity=2, key="close")
    hub.stock.receive(node="FAR", sku="A", quantity=9, key="far")
    rule = RULE.model_copy(update={"per_node": True})
    listings = {"A": LISTINGS["A"]}
    found = publish(hub, shelf, rule=rule, locations=LOCATIONS, listings=listings)
    assert found == Published(told=2, unlisted=1)
    assert shelf.shown == {("a", "near-1"): 5, ("a", "close-1"): 2}


def test_without_locations_there_is_one_number(hub: OrderHub) -> None:
    class Flat(Shop):
        capabilities: ClassVar[Capabilities] = Shop.capabilities.model_copy(update={"stock_by_location": False})

    shelf = Shelf()
    put(hub, A=5)
    hub.stock.receive(node="CLOSE", sku="A", quantity=2, key="close")
    rule = RULE.model_copy(update={"per_node": True})
    listings = {"A": LISTINGS["A"]}
    publish(hub, shelf, adapter=Flat(), rule=rule, locations=LOCATIONS, listings=listings)
    assert shelf.shown == {("a", None): 7}


def test_an_item_may_have_several_listings_and_a_listing_one_item(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=1)
    both = {"A": (Listing(listing="a"), Listing(listing="a2"), Listing(listing="a3")), "B": Listing(listing="b")}
    shelf.bad["a3"] = None
    found = publish(hub, shelf, listings=both)
    assert (found.told, [one.sku for one in found.refused]) == (1, ["A"])
    shelf.bad.clear()
    assert publish(hub, shelf, listings=both) == Published(told=1)
    assert shelf.shown == {("a", None): 5, ("a2", None): 5, ("a3", None): 5, ("b", None): 1}
    with pytest.raises(InvalidInput, match="one item"):
        publish(hub, shelf, listings={"A": Listing(listing="x"), "B": Listing(listing="x")})


def test_items_can_be_told_again_though_nothing_changed(hub: OrderHub) -> None:
    shelf = Shelf()
    put(hub, A=5, B=3)
    publish(hub, shelf)
    shelf.shown["a", None] = shelf.shown["c", None] = 77  # somebody used the channel's own pages
    assert publish(hub, shelf) == Published()
    assert publish(hub, shelf, again=["A", "C"]) == Published(told=2)
    assert is_true(hub, shelf)
    with pytest.raises(InvalidInput, match="no listing"):
        publish(hub, shelf, again=["NEW"])


def test_kits_are_told_and_told_again_like_items(hub: OrderHub) -> None:
    shelf = Shelf()
    pair = Item(sku="PAIR", components={"A": 2})
    hub.network.load(NETWORK.model_copy(update={"items": (*NETWORK.items, pair)}))
    listings = {"A": LISTINGS["A"], "PAIR": Listing(listing="p")}
    put(hub, A=5)
    shelf.bad["p"] = None
    assert publish(hub, shelf, listings=listings).told == 1
    put(hub, A=-1)
    shelf.bad.clear()
    publish(hub, shelf, listings=listings)
    assert shelf.shown == {("a", None): 4, ("p", None): 2}
    shelf.bad["p"] = None
    put(hub, A=-4)
    publish(hub, shelf, listings=listings)
    shelf.bad.clear()
    assert publish(hub, shelf, listings=listings) == Published(told=1)
    assert shelf.shown == {("a", None): 0, ("p", None): 0}


def test_the_same_number_told_twice_has_two_keys(hub: OrderHub) -> None:
    """A channel that carries out each key once would otherwise keep the number in between."""
    shelf = Shelf()
    for change in (5, -1, 1):
        put(hub, A=change)
        publish(hub, shelf)
    assert [level.units for intent in shelf.intents for level in intent.levels if level.listing == "a"] == [5, 4, 5]
    assert len({intent.key for intent in shelf.intents}) == len(shelf.intents)


class Breaking:
    """Runs transactions until so many are committed, and then no more."""

    def __init__(self, hub: OrderHub, left: int) -> None:
        self.hub, self.left = hub, left

    def __call__(self, work: Any, /, *, read_only: bool = False) -> Any:
        if self.left == 0:
            raise BreaksOff
        self.left -= 0 if read_only else 1
        return self.hub.run(work, read_only=read_only)


def test_rounds_that_break_off_anywhere_end_the_same(hub: OrderHub, clock: ManualClock) -> None:
    """After every transaction, and before and after every request: the next round makes it right."""

    def breaks_at(number: int) -> Callable[[SetStock], None]:
        left = [number]

        def step(_: SetStock) -> None:
            left[0] -= 1
            if left[0] == 0:
                run.left = 0
                raise BreaksOff

        return step

    broken = 0
    for place in ("run", "before", "after"):
        for number in range(1, 9):
            shelf = Shelf()
            run = Breaking(hub, number if place == "run" else -1)
            if place != "run":
                setattr(shelf, place, breaks_at(number))
            put(hub, A=2, B=1 + number, C=3 + number, D=1)
            clock.advance(DIED)
            shelf.shown = dict.fromkeys(shelf.shown, -1)
            try:
                publish(hub, shelf, run, again="ABCD")
            except BreaksOff:
                broken += 1
                shelf.before = shelf.after = lambda _: None
                early = publish(hub, shelf)
                put(hub, A=-1)
                clock.advance(DIED)
                late = publish(hub, shelf)
                assert early.waiting <= late.told <= early.waiting + 1, "only what was on its way waited"
            assert is_true(hub, shelf), (place, number)
            assert all(sending == 0 for _, sending, _ in rows(hub).values())
    assert broken == 9


def test_the_last_unit_sold_after_a_first_round_that_died_is_told(hub: OrderHub, clock: ManualClock) -> None:
    put(hub, A=1)
    with pytest.raises(BreaksOff):
        publish(hub, Shelf(), Breaking(hub, 1))
    put(hub, A=-1)
    clock.advance(DIED)
    shelf = Shelf()
    assert publish(hub, shelf) == Published(told=4)
    assert is_true(hub, shelf)


def test_another_round_leaves_alone_what_is_on_its_way(hub: OrderHub) -> None:
    """A sale and a whole round between the marking and the arrival of an old number."""
    shelf, found = Shelf(), []

    def interlope(_: SetStock) -> None:
        shelf.before = lambda _: None
        put(hub, A=-1, C=-1)  # C as it was told before
        found.append(publish(hub, shelf))

    put(hub, A=5, B=5, C=5, D=5)
    publish(hub, shelf)
    put(hub, A=1, B=1, C=1, D=1)
    shelf.before = interlope
    assert publish(hub, shelf) == Published(told=2)
    assert found == [Published(told=1, waiting=2)]
    assert shelf.shown["a", None] == 6
    assert publish(hub, shelf) == Published(told=1)
    assert is_true(hub, shelf)


@pytest.mark.parametrize("first", ["slow", "quick"])
def test_a_number_that_was_given_up_and_arrives_late_is_put_right(
    hub: OrderHub, clock: ManualClock, first: str
) -> None:
    """A round sleeps for longer than anybody waits for it, and its old number arrives after a newer one."""
    slow, shelf = Shelf(), Shelf()
    put(hub, A=5)
    publish(hub, shelf)
    put(hub, A=-1)

    def sleep(_: SetStock) -> None:
        clock.advance(DIED)
        put(hub, A=-1)
        if first == "quick":
            publish(hub, shelf)
            return

        def wake(_: SetStock) -> None:
            shelf.before = lambda _: None
            raise BreaksOff

        shelf.before = wake  # still on its way when the slow one ends
        with pytest.raises(BreaksOff):
            publish(hub, shelf, Breaking(hub, 1))

    slow.before = sleep
    publish(hub, slow)
    shelf.shown |= slow.shown
    assert shelf.shown["a", None] == 4
    clock.advance(DIED)
    publish(hub, shelf)
    assert shelf.shown["a", None] == 3


def sleeps_and_dies(hub: OrderHub, clock: ManualClock, shelf: Shelf) -> None:
    """A round outlives its lease on its way; a newer number is told and settled; then its own arrives, and it dies."""
    slow, run = Shelf(), Breaking(hub, -1)

    def sleep(_: SetStock) -> None:
        clock.advance(DIED)
        put(hub, A=-1)
        assert publish(hub, shelf) == Published(told=1)
        assert is_true(hub, shelf)

    def die(_: SetStock) -> None:
        run.left = 0
        raise BreaksOff

    slow.before, slow.after = sleep, die
    put(hub, A=-1)
    with pytest.raises(BreaksOff):
        publish(hub, slow, run)
    shelf.shown |= slow.shown


def test_a_number_that_arrives_late_and_whose_round_dies_then_is_put_right(hub: OrderHub, clock: ManualClock) -> None:
    shelf = Shelf()
    put(hub, A=5)
    publish(hub, shelf)
    sleeps_and_dies(hub, clock, shelf)
    assert shelf.shown["a", None] == 4, "the old number stands over the newer one"
    clock.advance(DIED)
    assert publish(hub, shelf) == Published(told=1)
    assert is_true(hub, shelf)
    assert shelf.shown["a", None] == 3


def test_what_a_lost_round_had_in_hand_is_told_less_and_less_often(hub: OrderHub, clock: ManualClock) -> None:
    """It may sleep on: its number can arrive whenever it wakes. After a day nobody expects it any more."""
    shelf = Shelf()
    put(hub, A=5)
    publish(hub, shelf)
    sleeps_and_dies(hub, clock, shelf)
    told, since = [], clock.now()
    for _ in range(3 * 24 * 12):
        clock.advance(timedelta(minutes=5))
        found = publish(hub, shelf)
        if found.told:
            told.append((clock.now() - since) // timedelta(minutes=5))
            shelf.shown["a", None] = 4  # it woke just then
    assert told == [1, 3, 7, 15, 31, 63, 127, 255, 511][: len(told)]
    assert 8 <= len(told) <= 9
    assert publish(hub, shelf) == Published(), "and then it is left alone"


def test_a_slow_round_that_reports_back_is_not_expected_again(hub: OrderHub, clock: ManualClock) -> None:
    slow, shelf = Shelf(), Shelf()
    put(hub, A=5)
    publish(hub, shelf)

    def sleep(_: SetStock) -> None:
        clock.advance(DIED)
        put(hub, A=-1)
        publish(hub, shelf)

    slow.before = sleep
    put(hub, A=-1)
    publish(hub, slow)
    shelf.shown |= slow.shown
    assert publish(hub, shelf) == Published(told=1), "its row is in doubt since it settled it"
    clock.advance(DIED)
    assert publish(hub, shelf) == Published()
    assert is_true(hub, shelf)


@pytest.mark.slow
def test_rounds_of_many_threads_end_with_the_truth(hub: OrderHub) -> None:
    shelf, failures = Shelf(), []
    put(hub, A=60, B=60, C=60, D=60)
    lock = threading.Lock()
    on_way: dict[str, int] = {}

    def enter(intent: SetStock) -> None:
        with lock:
            for level in intent.levels:
                on_way[level.listing] = on_way.get(level.listing, 0) + 1
                if on_way[level.listing] > 1:
                    failures.append(f"{level.listing} is on its way twice")

    def leave(intent: SetStock) -> None:
        with lock:
            for level in intent.levels:
                on_way[level.listing] -= 1

    def work(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for _ in range(12):
                if draw.random() < 0.5:
                    sell(hub, draw.choice("ABCD"), 1)
                publish(hub, shelf, again=draw.sample("ABCD", 1) if draw.random() < 0.2 else ())
        except Exception as error:  # noqa: BLE001  shown in the main thread
            failures.append(repr(error))

    shelf.before, shelf.after = enter, leave
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    publish(hub, shelf)
    assert is_true(hub, shelf)


RULES = st.builds(
    PublicationRule,
    channel=st.just("shop"),
    buffer=st.integers(0, 3),
    buffer_permille=st.sampled_from([0, 100, 333]),
    cap=st.none() | st.integers(1, 8),
    round_to=st.integers(1, 3),
)
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("ABCD"), st.integers(-9, 9).filter(bool), max_size=4),
        st.sampled_from(["whole", "refused", "dies before", "dies after", "dies between"]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(rule=RULES, steps=STEPS)
def test_in_the_end_the_channel_shows_what_the_rule_says(
    rule: PublicationRule, steps: list[tuple[Mapping[str, int], str, int]]
) -> None:
    clock = ManualClock(NOON)
    with opened("sqlite://", clock) as hub:
        shelf = Shelf()
        for changes, ends, number in steps:
            put(hub, **changes)
            _round(hub, shelf, rule, ends, number)
            clock.advance(DIED)
        publish(hub, shelf, rule=rule)
        truth = {(sku.lower(), None): told_units(rule, hub.stock.available(sku)) for sku in LISTINGS}
        assert shelf.shown == truth
        assert publish(hub, shelf, rule=rule) == Published()


def _round(hub: OrderHub, shelf: Shelf, rule: PublicationRule, ends: str, number: int) -> None:
    """One round that ends in some way; no number that is sent is more than the pool could serve."""
    left = [number]
    run = Breaking(hub, number if ends == "dies between" else -1)

    def step(intent: SetStock) -> None:
        for level in intent.levels:
            assert level.sku is not None
            assert level.units <= told_units(rule, hub.stock.available(level.sku))
        left[0] -= 1
        if left[0] == 0 and ends in {"dies before", "dies after"}:
            run.left = 0
            raise BreaksOff

    shelf.before = shelf.after = lambda _: None
    setattr(shelf, "after" if ends == "dies after" else "before", step)
    shelf.bad = {"abcd"[number]: None} if ends == "refused" else {}
    try:
        publish(hub, shelf, run, rule=rule)
    except BreaksOff:
        assert ends.startswith("dies")
    shelf.before = shelf.after = lambda _: None
    shelf.bad = {}
