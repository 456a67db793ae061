"""The hub's one door: commands of every desk from threads and tasks share transactions, and scripts are left alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from omo_core.hub import OrderHub
from omo_core.inventory.combiner import CombinerStats
from omo_core.model.errors import DatabaseError, DuplicateKeyMismatch, HubClosed
from omo_core.model.fulfilment import AcceptOffer, OrderState
from omo_core.model.stock import CounterSale, Demand, HoldRequest, Receive, StockAnswer
from omo_core.storage.clock import ManualClock
from omo_core.storage.transaction import Transaction
from tests.inventory.test_combiner import PATIENCE_S, busy
from tests.orders.conftest import CLOSE, NEAR, NETWORK, NOON, order, stock


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=ManualClock(NOON), combine=True) as opened:
        opened.network.load(NETWORK)
        yield opened
        if not opened._closed:
            assert opened.audit().clean


def figures(hub: OrderHub) -> CombinerStats:
    assert hub.combiner is not None
    return hub.combiner.stats


def receipt(key: str, quantity: int = 1, sku: str = "A") -> Receive:
    return Receive(key=key, lines=(Demand(sku=sku, node=NEAR, quantity=quantity),))


def cart(name: str, quantity: int = 1) -> HoldRequest:
    return HoldRequest(owner=name, line="1", sku="A", node=NEAR, quantity=quantity)


def test_every_single_command_goes_through_the_door(hub: OrderHub) -> None:
    hub.stock.receive(node=NEAR, sku="A", quantity=5, key="r")
    hub.stock.set_safety(node=NEAR, sku="A", quantity=1, key="s")
    hub.stock.hold([cart("c")], key="h")
    hub.stock.counter_sale(node=NEAR, sku="A", quantity=1, key="till")
    placed = hub.orders.place(order("1", {"A": 1}))
    offer = placed.fulfilment_orders[0].fulfilment
    assert hub.fulfilment.accept(offer, key="a").refusals == ()
    assert hub.fulfilment.reject(offer, reason="broken", key="no").refusals == ()
    assert hub.orders.cancel("shop", "1").state is OrderState.CANCELLED
    assert figures(hub) == CombinerStats(batches=8, commands=8, largest_batch=1)


def test_orders_stock_and_nodes_are_answered_by_one_transaction_in_their_order(hub: OrderHub) -> None:
    assert hub.combiner is not None
    with busy(hub.combiner):
        too_early = hub.orders.submit(order("0", {"A": 1}))
        receive = hub.stock.submit(receipt("r", 2))
        first, provisional = (
            hub.orders.submit(order("1", {"A": 1})),
            hub.orders.submit(order("2", {"A": 1}), offer=False),
        )
        nobody = hub.fulfilment.submit(AcceptOffer(key="a", fulfilment="none"))
        last = hub.orders.submit(order("3", {"A": 1}))
    assert too_early.result(PATIENCE_S).shortfalls
    assert receive.result(PATIENCE_S).applied
    assert first.result(PATIENCE_S).fulfilment_orders[0].node == NEAR
    assert provisional.result(PATIENCE_S).state is OrderState.WAITING
    assert nobody.result(PATIENCE_S).refusals[0].code == "unknown_fulfilment_order"
    assert last.result(PATIENCE_S).shortfalls
    assert figures(hub) == CombinerStats(batches=2, commands=7, largest_batch=6)


def test_goods_sold_over_the_counter_send_their_order_elsewhere_also_in_a_batch(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", CLOSE): 1})
    assert hub.orders.place(order("1", {"A": 1})).fulfilment_orders[0].node == NEAR
    assert hub.combiner is not None
    with busy(hub.combiner):
        sale = hub.stock.submit(CounterSale(key="till", lines=(Demand(sku="A", node=NEAR, quantity=1),)))
        other = hub.stock.submit(receipt("r", sku="B"))
    assert sale.result(PATIENCE_S).displaced
    assert other.result(PATIENCE_S).applied
    found = hub.orders.find("shop", "1")
    assert found is not None
    assert [one.node for one in found.fulfilment_orders if one.state.value == "offered"] == [CLOSE]


def test_a_key_of_another_request_fails_its_own_caller_only(hub: OrderHub) -> None:
    hub.stock.apply(receipt("k", 1))
    placed = hub.orders.place(order("1", {"A": 1}))
    accept = AcceptOffer(key="n", fulfilment=placed.fulfilment_orders[0].fulfilment)
    assert hub.combiner is not None
    with busy(hub.combiner):
        futures: list[Future[object]] = [
            hub.stock.submit(receipt("a")),  # type: ignore[list-item]
            hub.stock.submit(receipt("k", 2)),  # type: ignore[list-item]
            hub.stock.submit(receipt("k", 1)),  # type: ignore[list-item]
            hub.fulfilment.submit(accept),  # type: ignore[list-item]
            hub.fulfilment.submit(AcceptOffer(key="n", fulfilment="other")),  # type: ignore[list-item]
            hub.fulfilment.submit(AcceptOffer(key="m", fulfilment="other")),  # type: ignore[list-item]
        ]
    errors = [future.exception(PATIENCE_S) for future in futures]
    assert [type(error) for error in errors if error] == [DuplicateKeyMismatch] * 2
    assert [error is None for error in errors] == [True, False, True, True, False, True]
    assert hub.stock.available("A") == 1


def test_hundreds_of_tasks_wait_without_a_thread_each(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 40})
    threads = threading.active_count()

    async def day() -> list[bool]:
        holds = [hub.aio.stock.hold([cart(str(number))], key=f"h{number}") for number in range(256)]
        answers = await asyncio.gather(*holds)
        assert threading.active_count() <= threads + 1
        return [answer.applied for answer in answers]

    assert asyncio.run(day()).count(True) == 40
    assert figures(hub).batches < 128


def test_the_async_face_tells_exceptions_places_orders_and_joins_transactions(hub: OrderHub) -> None:
    async def day() -> None:
        await hub.aio.stock.receive(node=NEAR, sku="A", quantity=2, key="r")
        with pytest.raises(DuplicateKeyMismatch):
            await hub.aio.stock.receive(node=NEAR, sku="A", quantity=3, key="r")
        placed = await hub.aio.orders.place(order("1", {"A": 1}))
        accepted = await hub.aio.fulfilment.accept(placed.fulfilment_orders[0].fulfilment, key="a")
        assert accepted.refusals == ()
        assert await hub.aio.stock.available("A") == 1

    asyncio.run(day())
    assert figures(hub).commands == 4


def test_a_cancelled_task_takes_its_command_back(hub: OrderHub) -> None:
    async def day() -> None:
        assert hub.combiner is not None
        with busy(hub.combiner):
            task = asyncio.ensure_future(hub.aio.stock.receive(node=NEAR, sku="A", quantity=2, key="r"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await hub.aio.stock.receive(node=NEAR, sku="A", quantity=1, key="r")).applied

    asyncio.run(day())
    assert hub.stock.available("A") == 1


def test_holds_by_the_hundred_are_one_transaction_with_one_answer_each(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    before = figures(hub)
    answers = hub.stock.hold_many({f"h{number}": [cart(str(number), 2 - number % 2)] for number in range(4)})
    assert [answer.applied for answer in answers.values()] == [True, True, False, False]
    assert list(answers) == ["h0", "h1", "h2", "h3"]
    assert hub.stock.hold_many({"h0": [cart("0", 2)]})["h0"] == answers["h0"]
    assert figures(hub) == before, "a bulk is a batch already"


def test_a_transaction_of_ones_own_goes_past_the_door(hub: OrderHub) -> None:
    with hub.transaction() as tx:
        assert hub.stock.apply(receipt("r"), tx=tx).applied
        with pytest.raises(DatabaseError, match="pass that one on"):
            hub.stock.apply(receipt("s"))
    assert figures(hub).commands == 0
    with pytest.raises(ZeroDivisionError):
        lose(hub)
    assert hub.stock.available("A") == 1


def lose(hub: OrderHub) -> None:
    with hub.transaction() as tx:
        hub.stock.apply(receipt("lost"), tx=tx)
        raise ZeroDivisionError


def test_a_closed_hub_says_so(hub: OrderHub) -> None:
    assert hub.stock.apply(receipt("r")).applied
    hub.close()
    hub.close()

    def nothing(_tx: Transaction) -> None:
        raise AssertionError("a closed hub opened a transaction")

    for late in (
        lambda: hub.stock.apply(receipt("s")),
        lambda: hub.run(nothing),
        lambda: hub.transaction().__enter__(),
    ):
        with pytest.raises(HubClosed, match="open another one"):
            late()


def test_what_waits_when_the_hub_is_closed_may_still_use_its_desks(hub: OrderHub) -> None:
    assert hub.combiner is not None

    def receiving(tx: Transaction, commands: Sequence[Receive]) -> list[StockAnswer]:
        return hub.stock.apply_many(commands, tx=tx)

    with busy(hub.combiner):
        waiting = hub.submit(receiving, receipt("r"))
        closing = threading.Thread(target=hub.close)
        closing.start()
        while not hub.combiner._closed:
            closing.join(0.01)
    closing.join(PATIENCE_S)
    assert waiting.result(PATIENCE_S).applied


def test_a_pool_in_memory_commits_by_itself_unless_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = f"sqlite:///{tmp_path_factory.mktemp('hub') / 'shop.db'}"
    with (
        OrderHub.open("sqlite:///:memory:") as memory,
        OrderHub.open(file) as on_disk,
        OrderHub.open(file, combine=False) as alone,
    ):
        assert (memory.combiner, alone.combiner) == (None, None)
        assert figures(on_disk) == CombinerStats()
        threads = threading.active_count()
        for hub in (memory, alone):
            hub.network.load(NETWORK)
            assert hub.stock.submit(receipt("r")).result(0).applied
            with pytest.raises(DuplicateKeyMismatch):
                hub.stock.submit(receipt("r", 2)).result(0)
            assert asyncio.run(hub.aio.stock.apply(receipt("s"))).applied
            assert hub.stock.available("A") == 2
        assert threading.active_count() == threads
