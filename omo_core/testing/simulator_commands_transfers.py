"""Random commands of goods on their way: transfers between nodes, and what suppliers announce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from omo_core.model.goods import (
    Arrived,
    CancelReceipt,
    CloseTransfer,
    Expected,
    ExpectReceipt,
    ReceiveTransfer,
    Shipped,
    ShipTransfer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.testing.simulator_desk import Desk


def ship_transfer(desk: Desk, scope: str, key: str) -> ShipTransfer:
    """A node sends goods to another, some of them perhaps from a hold; rarely under a name that is taken."""
    (_, origin), (_, target) = desk.cell(), desk.cell()
    if origin == target:
        target = "KHH" if origin == "TPE" else "TPE"
    lines = tuple(
        Shipped(sku=line.sku, quantity=line.quantity, hold=desk.hold() if desk.dice.random() < 0.2 else None)
        for line in desk.goods(3)
    )
    name = desk.named("transfer", new=desk.dice.random() < 0.9)
    return ShipTransfer(scope=scope, key=key, transfer=name, from_node=origin, to_node=target, lines=lines)


def receive_transfer(desk: Desk, scope: str, key: str) -> ReceiveTransfer:
    """A van arrived, with whatever was in it."""
    lines = tuple(Arrived(sku=line.sku, quantity=line.quantity, condition=desk.condition()) for line in desk.goods(3))
    return ReceiveTransfer(scope=scope, key=key, transfer=desk.named("transfer"), node=desk.cell()[1], lines=lines)


def close_transfer(desk: Desk, scope: str, key: str) -> CloseTransfer:
    """Nobody waits any longer."""
    return CloseTransfer(scope=scope, key=key, transfer=desk.named("transfer"))


def expect_receipt(desk: Desk, scope: str, key: str) -> ExpectReceipt:
    """A supplier announces a delivery, or puts one off."""
    due_at = desk.now + timedelta(days=desk.dice.randint(0, 9))
    units = {line.sku: line.quantity for line in desk.goods(20)}
    lines = tuple(Expected(sku=sku, quantity=quantity, due_at=due_at) for sku, quantity in units.items())
    name = desk.named("asn", new=desk.dice.random() < 0.6)
    return ExpectReceipt(scope=scope, key=key, inbound=name, node=desk.cell()[1], lines=lines)


def cancel_receipt(desk: Desk, scope: str, key: str) -> CancelReceipt:
    """A supplier gives up."""
    return CancelReceipt(scope=scope, key=key, inbound=desk.named("asn"), node=desk.cell()[1])


TRANSFERS: Final[Mapping[Callable[[Desk, str, str], StockCommand], int]] = {
    ship_transfer: 5,
    receive_transfer: 4,
    close_transfer: 1,
    expect_receipt: 3,
    cancel_receipt: 1,
}
"""(desk, scope, key) → command, and its weight among all commands."""
