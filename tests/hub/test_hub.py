"""The hub: opening, loading, joining the host's transactions, the async face, and bad input that leaves nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from omo_core.hub import OrderHub
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput, OmoError
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import Demand, HoldRequest, PlaceHolds, Receive
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import FAR, NEAR, NETWORK, NOON, order, stock


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=ManualClock(NOON)) as opened:
        opened.network.load(NETWORK)
        yield opened


def test_loading_a_network_twice_changes_nothing_and_changes_are_counted(hub: OrderHub) -> None:
    again = hub.network.load(NETWORK)
    assert (again.nodes_added, again.nodes_changed, again.items_added, again.items_changed) == (0, 0, 0, 0)
    more = Network(
        currency="USD",
        nodes=(Node(node=NEAR, kind=NodeKind.DEALER_STORE, owner="lin"), Node(node="NEW", kind=NodeKind.STORE)),
        items=(Item(sku="E"),),
    )
    saved = hub.network.load(more)
    assert (saved.nodes_added, saved.nodes_changed, saved.items_added) == (1, 1, 1)
    assert saved.version == again.version + 1
    current = hub.network.current(items=True)
    assert {node.node for node in current.nodes} == {NEAR, "CLOSE", FAR, "NEW"}
    assert {item.sku for item in current.items} == set("ABCDE")


def test_a_pool_keeps_its_currency(hub: OrderHub) -> None:
    with pytest.raises(InvalidInput, match="counts its costs in USD"):
        hub.network.load(NETWORK.model_copy(update={"currency": "EUR"}))


def test_a_network_file_that_cannot_be_read_names_the_place(hub: OrderHub, tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    with pytest.raises(InvalidInput, match="check the path"):
        hub.network.load(path)
    path.write_text(json.dumps({"currency": "USD", "nodes": [{"node": "X", "kind": "castle"}]}))
    with pytest.raises(InvalidInput, match=r"nodes\.0\.kind"):
        hub.network.load(path)


def test_without_a_network_nothing_can_be_placed(shop_url: str) -> None:
    with OrderHub.open(shop_url) as empty, pytest.raises(InvalidInput, match="has no network yet"):
        empty.orders.place(order("1", {"A": 1}))


def test_commands_and_the_hosts_own_statements_commit_together_or_not_at_all(hub: OrderHub) -> None:
    with hub.transaction() as tx:
        tx.connection.execute(text("CREATE TABLE host_log (line TEXT)"))

    def fails_halfway() -> None:
        with hub.transaction() as tx:
            tx.connection.execute(text("INSERT INTO host_log VALUES ('lost')"))
            assert hub.stock.receive(node=NEAR, sku="A", quantity=3, key="r", tx=tx).applied
            assert hub.orders.place(order("1", {"A": 1}), tx=tx).fulfilment_orders
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_halfway()
    assert hub.orders.find("shop", "1") is None
    with hub.transaction() as tx:
        tx.connection.execute(text("INSERT INTO host_log VALUES ('kept')"))
        hub.stock.receive(node=NEAR, sku="A", quantity=3, key="r", tx=tx)
        hub.orders.place(order("1", {"A": 1}), tx=tx)
    assert hub.stock.available("A") == 2
    rows = hub.run(lambda tx: tx.connection.execute(text("SELECT line FROM host_log")).scalars().all())
    assert rows == ["kept"]


def test_a_hub_on_the_hosts_engine_leaves_it_open(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    with OrderHub.open(engine=engine) as hub:
        hub.network.load(NETWORK)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM omo_node")).scalar_one() == len(NETWORK.nodes)
    engine.dispose()


@pytest.mark.parametrize("arguments", [{}, {"url": "sqlite://", "engine": object()}])
def test_a_hub_is_opened_in_one_way(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="either a database URL or an engine"):
        OrderHub.open(**arguments)  # type: ignore[arg-type]


def test_pools_of_one_database_do_not_see_each_other(shop_url: str, tmp_path: Path) -> None:
    url = shop_url if "memory" not in shop_url else f"sqlite:///{tmp_path / 'two.db'}"
    with OrderHub.open(url, pool="one") as one, OrderHub.open(url, pool="two") as two:
        one.network.load(NETWORK)
        two.network.load(NETWORK)
        stock(one, {("A", NEAR): 5})
        assert (one.stock.available("A"), two.stock.available("A")) == (5, 0)
        assert one.orders.place(order("1", {"A": 1})).fulfilment_orders
        assert two.orders.find("shop", "1") is None


def test_a_key_used_for_another_command_is_an_error_and_applies_nothing(hub: OrderHub) -> None:
    hub.stock.receive(node=NEAR, sku="A", quantity=1, key="k")
    hub.stock.receive(node=NEAR, sku="A", quantity=1, key="k")
    with pytest.raises(DuplicateKeyMismatch, match="new key"):
        hub.stock.receive(node=NEAR, sku="A", quantity=2, key="k")
    assert hub.stock.available("A") == 1


def test_unknown_items_and_nodes_are_refused_as_values(hub: OrderHub) -> None:
    answer = hub.stock.apply(
        Receive(key="k", lines=(Demand(sku="A", node=NEAR, quantity=1), Demand(sku="Z", node="?", quantity=1)))
    )
    assert {refusal.code for refusal in answer.refusals} == {"unknown_sku", "unknown_node"}
    assert hub.stock.available("A") == 0


def test_the_network_is_read_again_when_another_hub_changed_it(shop_url: str, tmp_path: Path) -> None:
    url = shop_url if "memory" not in shop_url else f"sqlite:///{tmp_path / 'two.db'}"
    with OrderHub.open(url) as first, OrderHub.open(url) as second:
        first.network.load(NETWORK)
        stock(first, {("A", NEAR): 1})
        assert not second.orders.place(order("1", {"A": 1})).shortfalls
        closed = NETWORK.nodes[0].model_copy(update={"methods": ()})
        first.network.load(Network(currency="USD", nodes=(closed,)))
        stock(first, {("A", NEAR): 1}, key="more")
        assert second.orders.place(order("2", {"A": 1})).shortfalls


def test_the_async_face_awaits_the_same_desks(hub: OrderHub) -> None:
    async def day() -> tuple[int, str]:
        await hub.aio.stock.receive(node=NEAR, sku="A", quantity=2, key="r")
        placed = await asyncio.gather(*(hub.aio.orders.place(order(name, {"A": 1})) for name in "12"))
        return await hub.aio.stock.available("A"), placed[0].fulfilment_orders[0].node

    assert asyncio.run(day()) == (0, NEAR)


def test_the_last_unit_has_one_buyer_however_many_ask_at_once(shop_url: str, tmp_path: Path) -> None:
    url = shop_url if "memory" not in shop_url else f"sqlite:///{tmp_path / 'race.db'}"
    with OrderHub.open(url) as hub:
        hub.network.load(NETWORK)
        stock(hub, {("A", NEAR): 2, ("A", FAR): 1})
        with ThreadPoolExecutor(8) as pool:
            placed = list(pool.map(lambda number: hub.orders.place(order(str(number), {"A": 1})), range(16)))
        assert sum(bool(one.fulfilment_orders) for one in placed) == 3
        assert hub.audit().clean


def test_a_held_hour_ends(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    clock = hub.database.clock
    assert isinstance(clock, ManualClock)
    request = HoldRequest(owner="cart-7", line="1", sku="A", node=NEAR, quantity=1)
    held = hub.stock.apply(PlaceHolds(key="h", lines=(request,), expires_at=clock.now() + timedelta(minutes=15)))
    assert held.applied
    assert hub.stock.expire() == []
    clock.advance(timedelta(minutes=16))
    assert [hold.hold for hold in hub.stock.expire()] == [held.holds[0].hold]
    assert hub.stock.available("A") == 1


def test_every_error_of_the_library_has_a_stable_code() -> None:
    def family(kind: type[OmoError]) -> list[type[OmoError]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in family(child))]

    codes = [kind.code for kind in family(OmoError)]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ for kind in family(OmoError))
