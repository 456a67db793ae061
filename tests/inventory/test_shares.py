"""What a channel, and a later day, may be promised: quotas bound it, announced goods add to it, the guard agrees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from omo_core.inventory import available_in_bulk, available_kits, available_to_promise
from omo_core.model.availability import PublicationRule
from omo_core.model.goods import Expected, ExpectReceipt
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.storage.catalogue import save_network
from tests.inventory.conftest import NODES, POOL, Shop, open_shop, receive
from tests.inventory.test_backorders import ahead, set_cap
from tests.inventory.test_publication import tell
from tests.inventory.test_quotas import buy, cap, fence

DAY = timedelta(days=1)


def free(shop: Shop, channel: str | None = None, node: str | None = None, *, days: int | None = None) -> int:
    by = None if days is None else shop.clock.now() + days * DAY
    return shop.database.read(POOL, lambda tx: available_to_promise(tx, "MUG", node, channel=channel, by=by))


def test_a_fence_is_there_for_its_channel_only(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6), ("MUG", "KHH", 4)), fence("f", "live", 7))
    assert [free(shop, channel) for channel in ("live", "shopify", None)] == [10, 3, 3]
    assert [free(shop, channel, "TPE") for channel in ("live", "shopify")] == [6, 3]
    shop.apply(buy("b", "live", ("MUG", "TPE", 5)))
    assert [free(shop, channel) for channel in ("live", "shopify")] == [5, 3]


def test_a_cap_bounds_its_channel_only(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6), ("MUG", "KHH", 4)), cap("c", "outlet", 5))
    assert [free(shop, channel) for channel in ("outlet", "shopify")] == [5, 10]
    shop.apply(buy("b", "outlet", ("MUG", "KHH", 3)))
    assert [free(shop, channel) for channel in ("outlet", "shopify")] == [2, 7]


def test_a_quota_that_gave_back_restricts_nobody(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6)), fence("f", "live", 4, until=shop.clock.now() + DAY))
    assert free(shop, "shopify") == 2
    shop.clock.advance(DAY)
    assert free(shop, "shopify") == 6


def test_what_should_come_by_a_day_counts_from_that_day(shop: Shop) -> None:
    due = [(2, 5), (4, 3)]
    announced = tuple(
        ExpectReceipt(
            key=f"e{days}",
            inbound=f"ASN-{days}",
            node="TPE",
            lines=(Expected(sku="MUG", quantity=units, due_at=shop.clock.now() + days * DAY),),
        )
        for days, units in due
    )
    shop.apply(receive("r", ("MUG", "TPE", 2), ("MUG", "KHH", 1)), *announced)
    assert [free(shop, days=days) for days in (None, 1, 2, 3, 4)] == [3, 3, 8, 8, 11]
    assert [free(shop, node="TPE", days=days) for days in (None, 1, 2, 4)] == [2, 2, 7, 10]
    assert free(shop, node="KHH", days=9) == 1
    shop.apply(fence("f", "live", 6))
    assert [free(shop, "shopify", days=days) for days in (None, 2, 4)] == [0, 2, 5]


def test_what_is_promised_ahead_is_not_promised_again(shop: Shop) -> None:
    announced = tuple(
        ExpectReceipt(
            key=f"e{node}",
            inbound="ASN",
            node=node,
            lines=(Expected(sku="MUG", quantity=units, due_at=shop.clock.now() + DAY),),
        )
        for node, units in (("TPE", 6), ("KHH", 4))
    )
    shop.apply(receive("r", ("MUG", "TPE", 1)), *announced, set_cap("any", 9), set_cap("here", 9, node="TPE"))
    assert shop.apply(ahead("b", ("MUG", "TPE", 2)))[0].applied
    assert [free(shop, days=1), free(shop, node="TPE", days=1), free(shop, node="KHH", days=1)] == [9, 5, 4]
    assert shop.apply(ahead("c", ("MUG", None, 3)))[0].applied
    assert [free(shop, days=1), free(shop, node="TPE", days=1), free(shop, node="KHH", days=1)] == [6, 2, 1]
    assert free(shop) == 1
    # However much is promised ahead, what is there now stays to be promised.
    assert shop.apply(ahead("d", ("MUG", None, 6), ("MUG", "TPE", 7)))[0].applied
    assert [free(shop, days=1), free(shop, node="TPE", days=1)] == [1, 1]


def test_kits_and_publications_keep_within_the_quotas(shop: Shop) -> None:
    kit = Item(sku="PAIR", components={"MUG": 2})
    node = Node(node="TPE", kind=NodeKind.STORE)
    shop.database.run(POOL, lambda tx: save_network(tx, Network(currency="USD", nodes=(node,), items=(kit,))))
    shop.apply(receive("r", ("MUG", "TPE", 6), ("MUG", "KHH", 4), ("BOWL", "TPE", 2)), fence("f", "live", 5))
    assert shop.database.read(POOL, lambda tx: available_kits(tx, ["PAIR"], channel="shopify")) == {
        ("PAIR", "KHH"): 2,
        ("PAIR", "TPE"): 2,
    }
    by_node = tell(shop, PublicationRule(channel="shopify", per_node=True))
    assert {cell: units for cell, (units, _) in by_node.items() if cell[0] != "PAIR"} == {
        ("BOWL", "TPE"): 2,
        ("MUG", "KHH"): 4,
        ("MUG", "TPE"): 1,
    }
    in_all = tell(shop, PublicationRule(channel="live"))
    assert in_all["MUG", ""] == (10, None)
    assert tell(shop, PublicationRule(channel="till"))["MUG", ""] == (5, None)


QUOTAS = st.dictionaries(
    st.sampled_from(["live", "outlet", "shopify"]), st.tuples(st.booleans(), st.integers(0, 8)), max_size=3
)


@pytest.mark.slow
@given(
    stock=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    quotas=QUOTAS,
    channel=st.sampled_from(["live", "shopify", None]),
    bought=st.lists(st.tuples(st.sampled_from(["live", "outlet", None]), st.sampled_from(NODES)), max_size=3),
    last=st.integers(0, 1),
)
def test_what_is_said_to_be_available_can_be_held_and_one_more_cannot(
    stock: tuple[int, int],
    quotas: dict[str, tuple[bool, int]],
    channel: str | None,
    bought: list[tuple[str | None, str]],
    last: int,
) -> None:
    with open_shop("sqlite:///:memory:") as shop:
        shop.apply(
            *(receive(f"r{node}", ("MUG", node, units)) for node, units in zip(NODES, stock, strict=True) if units),
            *((fence if fenced else cap)(f"q{name}", name, units) for name, (fenced, units) in quotas.items()),
        )
        shop.apply(*(buy(f"b{i}", who, ("MUG", node, 1)) for i, (who, node) in enumerate(bought)))
        pairs = [("MUG", node) for node in NODES]
        said = shop.database.read(POOL, lambda tx: available_in_bulk(tx, pairs, channel=channel))
        for node, units in zip(NODES, said, strict=True):
            (more,) = shop.apply(buy(f"more {node}", channel, ("MUG", node, units + 1)))
            assert not more.applied
            assert more.refusals[0].code != "key_reused"
        if said[last]:
            (fits,) = shop.apply(buy("fits", channel, ("MUG", NODES[last], said[last])))
            assert fits.applied
        assert shop.audit().clean


@pytest.mark.parametrize("channel", ["live", None])
def test_the_pool_is_no_more_than_its_nodes(memory_shop: Shop, channel: str | None) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 2), ("MUG", "KHH", 1)), fence("f", "live", 9))
    assert free(memory_shop, channel) == (3 if channel else 0)
