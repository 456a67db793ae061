"""What the commands of goods on their way mean: shipped between nodes, and announced by suppliers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from omo_core.model.goods import (
    CancelReceipt,
    CloseTransfer,
    ExpectReceipt,
    ReceiveTransfer,
    Shipped,
    ShipTransfer,
)
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Correction
from omo_core.storage.clock import to_us
from omo_core.testing.pool_model import Cell, Fields, ModelTransfer, PoolModel


def ship_transfer(model: PoolModel, command: ShipTransfer) -> Fields:
    """Free goods, or promised ones, leave a node and are nowhere."""
    if refusals := _why_not_ship(model, command):
        return {"refusals": refusals}
    transfer = model.transfers[command.transfer] = ModelTransfer(command.to_node)
    held = _of_holds(command)
    for line in command.lines:
        transfer.line(line.sku)["shipped"] += line.quantity
        if line.hold is None:
            model.change((line.sku, command.from_node, SELLABLE), on_hand=-line.quantity)
    for hold, units in held.items():
        model.issue(model.holds[hold], units)
    return {"holds": tuple(model.holds[hold].value() for hold in held)}


def _why_not_ship(model: PoolModel, command: ShipTransfer) -> tuple[Refusal, ...]:
    if command.transfer in model.transfers:
        return (Refusal.of("transfer_exists", transfer=command.transfer),)
    ends = [(line.sku, node, SELLABLE) for line in command.lines for node in (command.from_node, command.to_node)]
    free: dict[Cell, int] = {}
    for line in command.lines:
        if line.hold is None:
            cell: Cell = (line.sku, command.from_node, SELLABLE)
            free[cell] = free.get(cell, 0) + line.quantity
    refusals = model.unknown(ends) or tuple(
        one for line in command.lines for one in _why_not_hold(model, command, line)
    )
    held = _of_holds(command)
    refusals = refusals or model.exceeding([model.holds[hold] for hold in held], held)
    return refusals or model.missing(free)


def _why_not_hold(model: PoolModel, command: ShipTransfer, line: Shipped) -> tuple[Refusal, ...]:
    if line.hold is None:
        return ()
    found, refusals = model.open_holds([line.hold])
    for hold in found:
        sku, node, _ = hold.cell
        if (sku, node) != (line.sku, command.from_node):
            return (Refusal.of("hold_mismatch", hold=line.hold, sku=sku, node=node),)
    return refusals


def _of_holds(command: ShipTransfer) -> dict[str, int]:
    units: dict[str, int] = {}
    for line in command.lines:
        if line.hold is not None:
            units[line.hold] = units.get(line.hold, 0) + line.quantity
    return units


def receive_transfer(model: PoolModel, command: ReceiveTransfer) -> Fields:
    """What is there is there: first what was on its way, then what was thought lost, then what nobody sent."""
    transfer = model.transfers.get(command.transfer)
    if transfer is None:
        return {"refusals": (Refusal.of("unknown_transfer", transfer=command.transfer),)}
    coming: dict[Cell, int] = {}
    for line in command.lines:
        cell: Cell = (line.sku, command.node, line.condition)
        coming[cell] = coming.get(cell, 0) + line.quantity
    if refusals := model.unknown(coming):
        return {"refusals": refusals}
    corrections = []
    for cell, units in coming.items():
        model.change(cell, on_hand=units)
        extra = sum(_arrives_unsent(transfer.line(cell[0])) for _ in range(units))
        if extra:
            corrections.append(Correction(sku=cell[0], node=cell[1], condition=cell[2], quantity=extra))
    return {"corrections": tuple(corrections)}


def _arrives_unsent(line: dict[str, int]) -> bool:
    """One unit more has arrived; whether it is one that was never sent."""
    if line["received"] + line["lost"] < line["shipped"]:
        line["received"] += 1
        return False
    if line["lost"]:
        line["lost"] -= 1
        line["received"] += 1
        return False
    line["extra"] += 1
    return True


def close_transfer(model: PoolModel, command: CloseTransfer) -> Fields:
    """What has not come is lost."""
    transfer = model.transfers.get(command.transfer)
    if transfer is None:
        return {"refusals": (Refusal.of("unknown_transfer", transfer=command.transfer),)}
    for line in transfer.lines.values():
        line["lost"] = line["shipped"] - line["received"]
    return {}


def expect_receipt(model: PoolModel, command: ExpectReceipt) -> Fields:
    """Goods are announced, or announced anew."""
    refusals = model.unknown((line.sku, command.node, SELLABLE) for line in command.lines)
    refusals = refusals or tuple(
        Refusal.of("inbound_cancelled", inbound=command.inbound, sku=line.sku, node=command.node)
        for line in command.lines
        if model.announced.get((command.inbound, command.node, line.sku), {}).get("cancelled")
    )
    if refusals:
        return {"refusals": refusals}
    for line in command.lines:
        announced = model.announcement(command.inbound, command.node, line.sku)
        announced |= {"expected": line.quantity, "due_at_us": to_us(line.due_at)}
    return {}


def cancel_receipt(model: PoolModel, command: CancelReceipt) -> Fields:
    """Nothing more comes of what has not come in full."""
    named = [line for name, line in model.announced.items() if name[:2] == (command.inbound, command.node)]
    if not named:
        return {"refusals": (Refusal.of("unknown_inbound", inbound=command.inbound, node=command.node),)}
    for line in named:
        if line["received"] < line["expected"]:
            line["cancelled"] = 1
    return {}


VERBS: Final[Mapping[type, Callable[[PoolModel, Any], Fields]]] = {
    ShipTransfer: ship_transfer,
    ReceiveTransfer: receive_transfer,
    CloseTransfer: close_transfer,
    ExpectReceipt: expect_receipt,
    CancelReceipt: cancel_receipt,
}
