"""What channels are told: the rule's arithmetic, only what changed, never more than the pool can serve."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from omo_core.inventory import availability_deltas, available_kits, available_to_promise, mark_told
from omo_core.inventory.publication import is_worth_telling, told_units
from omo_core.model.availability import AvailabilityDelta, PublicationRule
from omo_core.model.items import Item
from omo_core.model.network import Consent, Network, Node, NodeKind
from omo_core.model.stock import SetSafety
from omo_core.storage.catalogue import save_network
from tests.inventory.conftest import NODES, POOL, SKUS, Shop, open_shop, place, receive, sell

Told = dict[tuple[str, str], tuple[int, int | None]]
"""(sku, node) → (units, told before)"""


def tell(shop: Shop, rule: PublicationRule, skus: Sequence[str] | None = None) -> Told:
    def work(tx: object) -> list[AvailabilityDelta]:
        deltas = availability_deltas(tx, rule, skus=skus)  # type: ignore[arg-type]
        assert mark_told(tx, deltas) == len(deltas)  # type: ignore[arg-type]
        return deltas

    return {(delta.sku, delta.node): (delta.units, delta.told) for delta in shop.database.run(POOL, work)}


def test_a_channel_is_told_once_and_then_only_what_changed(shop: Shop) -> None:
    rule = PublicationRule(channel="shopify")
    shop.apply(receive("r", ("MUG", "TPE", 5), ("MUG", "KHH", 3), ("BOWL", "TPE", 2)))
    assert tell(shop, rule) == {("BOWL", ""): (2, None), ("MUG", ""): (8, None)}
    assert tell(shop, rule) == {}
    shop.apply(place("o", ("MUG", "TPE", 4)))
    assert tell(shop, rule, ["BOWL"]) == {}
    assert tell(shop, rule) == {("MUG", ""): (4, 8)}
    # Another channel has heard nothing yet.
    assert tell(shop, PublicationRule(channel="till")) == {("BOWL", ""): (2, None), ("MUG", ""): (4, None)}


def test_a_channel_with_locations_is_told_by_node(shop: Shop) -> None:
    rule = PublicationRule(channel="shopify", per_node=True)
    shop.apply(receive("r", ("MUG", "TPE", 5), ("MUG", "KHH", 3)))
    assert tell(shop, rule) == {("MUG", "KHH"): (3, None), ("MUG", "TPE"): (5, None)}
    shop.apply(sell("s", ("MUG", "KHH", 3)))
    assert tell(shop, rule) == {("MUG", "KHH"): (0, 3)}
    only_one = PublicationRule(channel="pickup", nodes=("KHH",))
    assert tell(shop, only_one) == {}


def test_small_changes_wait_but_never_at_the_end(shop: Shop) -> None:
    rule = PublicationRule(channel="c", min_change=5, exact_below=2)
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    assert tell(shop, rule) == {("MUG", ""): (10, None)}
    sold = {}
    for left in range(9, -1, -1):
        shop.apply(sell(f"s{left}", ("MUG", "TPE", 1)))
        sold[left] = tell(shop, rule).get(("MUG", ""))
    assert {left: told for left, told in sold.items() if told} == {5: (5, 10), 2: (2, 5), 1: (1, 2), 0: (0, 1)}


def test_dealers_stock_is_told_only_where_its_owner_agreed(shop: Shop) -> None:
    nodes = (
        Node(node="ALL", kind=NodeKind.DEALER_STORE, owner="a", consent=Consent()),
        Node(node="SOME", kind=NodeKind.DEALER_STORE, owner="b", consent=Consent(channels=("shopify",))),
        Node(node="NONE", kind=NodeKind.DEALER_STORE, owner="c"),
    )
    shop.database.run(POOL, lambda tx: save_network(tx, Network(currency="USD", nodes=nodes)))
    shop.apply(receive("r", ("MUG", "ALL", 1), ("MUG", "SOME", 10), ("MUG", "NONE", 100)))
    assert tell(shop, PublicationRule(channel="shopify")) == {("MUG", ""): (11, None)}
    assert tell(shop, PublicationRule(channel="till")) == {("MUG", ""): (1, None)}
    counted = [
        shop.database.read(POOL, lambda tx, channel=channel: available_to_promise(tx, "MUG", channel=channel))  # type: ignore[misc]
        for channel in ("shopify", "till", None)
    ]
    assert counted == [11, 1, 1]
    assert shop.database.read(POOL, lambda tx: available_to_promise(tx, "MUG", "SOME", channel="till")) == 0


def test_kits_are_told_like_items(shop: Shop) -> None:
    kit = Item(sku="PAIR", components={"MUG": 2})
    node = Node(node="TPE", kind=NodeKind.STORE)
    shop.database.run(POOL, lambda tx: save_network(tx, Network(currency="USD", nodes=(node,), items=(kit,))))
    rule = PublicationRule(channel="shopify", buffer=1)
    shop.apply(receive("r", ("MUG", "TPE", 5), ("MUG", "KHH", 4)))
    assert tell(shop, rule) == {("MUG", ""): (8, None), ("PAIR", ""): (3, None)}
    shop.apply(sell("s", ("MUG", "KHH", 3)))
    assert tell(shop, rule) == {("MUG", ""): (5, 8), ("PAIR", ""): (1, 3)}
    shop.apply(sell("s2", ("MUG", "TPE", 5)))
    assert tell(shop, rule) == {("MUG", ""): (0, 5), ("PAIR", ""): (0, 1)}


RULES = st.builds(
    PublicationRule,
    channel=st.just("c"),
    per_node=st.booleans(),
    nodes=st.sampled_from([(), ("TPE",), ("KHH", "TPE")]),
    buffer=st.integers(0, 3),
    buffer_permille=st.sampled_from([0, 0, 1, 100, 333, 1000]),
    cap=st.none() | st.integers(1, 8),
    round_to=st.integers(1, 3),
    min_change=st.integers(1, 4),
    exact_below=st.integers(0, 3),
)
MOVES = st.lists(
    st.tuples(st.sampled_from(["in", "out", "keep"]), st.sampled_from(SKUS), st.sampled_from(NODES), st.integers(1, 9)),
    max_size=6,
)


@pytest.mark.slow
@given(rule=RULES, steps=st.lists(MOVES, min_size=1, max_size=4))
def test_the_database_tells_what_the_plain_arithmetic_says(
    rule: PublicationRule, steps: list[list[tuple[str, str, str, int]]]
) -> None:
    with open_shop("sqlite:///:memory:") as shop:
        _compare(shop, rule, steps)


@pytest.mark.postgres
def test_both_engines_do_the_same_arithmetic(shop: Shop) -> None:
    rule = PublicationRule(channel="c", buffer_permille=333, cap=7, round_to=2, min_change=2, exact_below=1)
    steps = [
        [("in", sku, node, units) for sku, node, units in zip(SKUS, ("TPE", "KHH", "TPE"), (9, 6, 2), strict=True)]
    ]
    steps += [[("out", "MUG", "KHH", 3), ("keep", "BOWL", "TPE", 4)], [("in", "MUG", "TPE", 5)]]
    _compare(shop, rule, steps)


def _compare(shop: Shop, rule: PublicationRule, steps: list[list[tuple[str, str, str, int]]]) -> None:
    told: dict[tuple[str, str], int] = {}
    for number, moves in enumerate(steps):
        for place_in_step, (verb, sku, node, units) in enumerate(moves):
            key = f"{number}/{place_in_step}"
            if verb == "keep":
                shop.apply(SetSafety(key=key, sku=sku, node=node, quantity=units))
            else:
                shop.apply((receive if verb == "in" else sell)(key, (sku, node, units)))
        expected = _naive(shop, rule, told)
        assert tell(shop, rule) == expected
        told |= {cell: units for cell, (units, _) in expected.items()}


def _naive(shop: Shop, rule: PublicationRule, told: dict[tuple[str, str], int]) -> Told:
    free: dict[tuple[str, str], int] = {}
    for sku in SKUS:
        for node in NODES:
            if not rule.nodes or node in rule.nodes:
                cell = (sku, node if rule.per_node else "")
                units = shop.database.read(POOL, lambda tx, sku=sku, node=node: available_to_promise(tx, sku, node))  # type: ignore[misc]
                free[cell] = free.get(cell, 0) + units
    assert shop.database.read(POOL, lambda tx: available_kits(tx, SKUS)) == {}
    numbers = {cell: told_units(rule, units) for cell, units in free.items()}
    assert all(number <= free[cell] for cell, number in numbers.items())
    return {
        cell: (number, told.get(cell))
        for cell, number in numbers.items()
        if is_worth_telling(rule, number, told.get(cell))
    }
