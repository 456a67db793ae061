"""Kits: promised while every component is there at one node, held as their components."""

from __future__ import annotations

import pytest

from omo_core.inventory import available_kits, holds_of_kit
from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import HoldRequest, PlaceHolds
from omo_core.storage.catalogue import save_network
from tests.inventory.conftest import POOL, Shop, receive

TEA_SET = Item(sku="TEA-SET", components={"MUG": 4, "BOWL": 1})


def with_kits(shop: Shop) -> None:
    dealer = Node(node="DEALER", kind=NodeKind.DEALER_STORE, owner="lin")
    network = Network(currency="USD", nodes=(dealer,), items=(TEA_SET, Item(sku="PAIR", components={"MUG": 2})))
    shop.database.run(POOL, lambda tx: save_network(tx, network))
    shop.apply(
        receive("r", ("MUG", "TPE", 11), ("BOWL", "TPE", 5), ("MUG", "KHH", 7), ("MUG", "DEALER", 8)),
    )


def test_the_scarcest_component_counts_and_nodes_are_not_mixed(shop: Shop) -> None:
    with_kits(shop)
    found = shop.database.read(POOL, lambda tx: available_kits(tx, ["TEA-SET", "PAIR", "MUG"]))
    # KHH has mugs but no bowls; the dealer has mugs and gave no consent.
    assert found == {("PAIR", "KHH"): 3, ("PAIR", "TPE"): 5, ("TEA-SET", "TPE"): 2}


def test_a_kit_is_held_as_its_components_or_not_at_all(shop: Shop) -> None:
    with_kits(shop)

    def hold(key: str, quantity: int) -> bool:
        wanted = HoldRequest(owner=key, line="1", sku="TEA-SET", node="TPE", quantity=quantity)
        lines = shop.database.read(POOL, lambda tx: holds_of_kit(tx, wanted))
        (answer,) = shop.apply(PlaceHolds(key=key, lines=lines))
        return answer.applied

    assert not hold("three", 3)
    assert shop.holds("three") == []
    assert hold("two", 2)
    assert [(held.line, held.sku, held.quantity) for held in shop.holds("two")] == [
        ("1/BOWL", "BOWL", 2),
        ("1/MUG", "MUG", 8),
    ]
    assert shop.database.read(POOL, lambda tx: available_kits(tx, ["TEA-SET"])) == {}


def test_what_is_no_kit_is_refused(shop: Shop) -> None:
    wanted = HoldRequest(owner="o", line="1", sku="MUG", node="TPE", quantity=1)
    with pytest.raises(InvalidInput, match="'MUG' is not a kit"):
        shop.database.read(POOL, lambda tx: holds_of_kit(tx, wanted))
    with pytest.raises(ValueError, match="lists itself"):
        Item(sku="LOOP", components={"LOOP": 1})
