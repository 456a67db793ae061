"""Safety stock by rule: units, a share, the larger; for the pool, a class of nodes or a node; now and for later rows."""

from __future__ import annotations

from typing import Any

import pytest

from omo_core.inventory import available_to_promise, set_safety_rule
from omo_core.model.availability import SafetyRuleSet, SetSafetyRule
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import SetSafety
from omo_core.storage.catalogue import save_network
from tests.inventory.conftest import POOL, Shop, place, receive, sell


def rule(shop: Shop, key: str, **scope: Any) -> SafetyRuleSet:
    return shop.database.run(POOL, lambda tx: set_safety_rule(tx, SetSafetyRule(key=key, **scope)))


def free(shop: Shop, sku: str = "MUG", node: str = "TPE") -> int:
    return shop.database.read(POOL, lambda tx: available_to_promise(tx, sku, node))


@pytest.mark.parametrize(
    ("units", "permille", "on_hand", "kept"),
    [(3, 0, 10, 3), (0, 250, 10, 3), (2, 250, 10, 3), (4, 250, 10, 4), (0, 1000, 7, 7), (0, 1, 1, 1), (5, 0, 3, 3)],
)
def test_the_larger_of_units_and_share_is_kept_back_and_the_share_is_rounded_up(
    memory_shop: Shop, units: int, permille: int, on_hand: int, kept: int
) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", on_hand)))
    rule(memory_shop, "s", units=units, permille=permille)
    assert free(memory_shop) == on_hand - kept
    if on_hand > kept:
        (fits,) = memory_shop.apply(place("o", ("MUG", "TPE", on_hand - kept)))
        assert fits.applied
    (too_many,) = memory_shop.apply(place("p", ("MUG", "TPE", 1)))
    assert [refusal.code for refusal in too_many.refusals] == ["insufficient_stock"]


def test_a_share_follows_what_is_on_hand(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    rule(shop, "s", permille=500)
    assert free(shop) == 5
    shop.apply(sell("c", ("MUG", "TPE", 4)))
    assert free(shop) == 3
    shop.apply(receive("r2", ("MUG", "TPE", 6)))
    assert free(shop) == 6


def test_a_rule_changes_the_rows_of_its_scope_and_no_others(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10), ("MUG", "KHH", 10), ("BOWL", "TPE", 10)))
    assert rule(shop, "node", units=2, node="TPE").rows_changed == 2
    assert rule(shop, "item", units=4, sku="MUG").rows_changed == 2
    assert rule(shop, "cell", units=1, node="TPE", sku="BOWL").rows_changed == 1
    assert (free(shop), free(shop, "MUG", "KHH"), free(shop, "BOWL")) == (6, 6, 9)
    assert rule(shop, "again", units=4, sku="MUG").rows_changed == 0


def test_the_narrowest_rule_counts_for_rows_that_come_later(shop: Shop) -> None:
    warehouse = Node(node="HUB", kind=NodeKind.CENTRAL_WAREHOUSE)
    shop.database.run(POOL, lambda tx: save_network(tx, Network(currency="USD", nodes=(warehouse,))))
    rule(shop, "pool", units=1)
    rule(shop, "pool-item", units=2, sku="VASE")
    rule(shop, "stores", units=3, node_kind=NodeKind.STORE)
    rule(shop, "stores-item", units=4, node_kind=NodeKind.STORE, sku="VASE")
    rule(shop, "node", units=5, node="KHH")
    shop.apply(
        receive("r", *((sku, node, 10) for sku in ("MUG", "VASE") for node in ("HUB", "TPE", "KHH"))),
        SetSafety(key="own", sku="BOWL", node="TPE", quantity=7),
    )
    found = {(sku, node): 10 - free(shop, sku, node) for sku in ("MUG", "VASE") for node in ("HUB", "TPE", "KHH")}
    assert found == {
        ("MUG", "HUB"): 1,
        ("VASE", "HUB"): 2,
        ("MUG", "TPE"): 3,
        ("VASE", "TPE"): 4,
        ("MUG", "KHH"): 5,
        ("VASE", "KHH"): 5,
    }
    # What is said of one row counts more than any rule.
    assert shop.level("BOWL", "TPE").safety == 7


def test_a_rule_is_applied_once_per_key(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    first = rule(shop, "s", units=2)
    shop.apply(SetSafety(key="own", sku="MUG", node="TPE", quantity=5))
    assert rule(shop, "s", units=2) == first
    assert free(shop) == 5
    with pytest.raises(DuplicateKeyMismatch):
        rule(shop, "s", units=3)


def test_a_rule_of_unknown_places_or_items_leaves_nothing_behind(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="'XXX' is not known"):
        rule(shop, "s", units=2, node="XXX")
    with pytest.raises(InvalidInput, match="'CUP' is not known"):
        rule(shop, "s", units=2, sku="CUP")
    with pytest.raises(ValueError, match="not both"):
        SetSafetyRule(key="s", node="TPE", node_kind=NodeKind.STORE)
    assert (shop.count("safety_rule"), shop.count("operation")) == (0, 0)
