"""Commands of goods in few words, and what they left in the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from omo_core.model.goods import (
    AbsoluteFeed,
    Adjustment,
    AdjustReason,
    AdjustStock,
    Arrived,
    CancelReceipt,
    ChangeCondition,
    CloseTransfer,
    Counted,
    CountStock,
    Expected,
    ExpectReceipt,
    ReceiveTransfer,
    Returned,
    ReturnGoods,
    Shipped,
    ShipTransfer,
)
from omo_core.model.stock import Demand, Receive, StockAnswer
from tests.inventory.conftest import Line, Shop, receive


def counted(*lines: Line, condition: Any = "sellable") -> tuple[Counted, ...]:
    return tuple(Counted(sku=sku, node=node, condition=condition, quantity=units) for sku, node, units in lines)


def count(key: str, *lines: Line, at: datetime | None = None, condition: Any = "sellable") -> CountStock:
    return CountStock(key=key, lines=counted(*lines, condition=condition), counted_at=at)


def feed(
    key: str, *lines: Line, sequence: int | None = None, as_of: datetime | None = None, source: str = "wms"
) -> AbsoluteFeed:
    return AbsoluteFeed(key=key, source=source, sequence=sequence, as_of=as_of, lines=counted(*lines))


def adjust(key: str, *lines: Line, reason: AdjustReason = AdjustReason.OTHER) -> AdjustStock:
    goods = tuple(Adjustment(sku=sku, node=node, quantity=units) for sku, node, units in lines)
    return AdjustStock(key=key, lines=goods, reason=reason)


def bring_back(key: str, *lines: tuple[str, str, int, Any] | tuple[str, str, int, Any, str]) -> ReturnGoods:
    """Lines of (sku, node, quantity, disposition) and perhaps the hold they left under."""
    goods = tuple(
        Returned(sku=sku, node=node, quantity=units, disposition=disposition, hold=hold[0] if hold else None)
        for sku, node, units, disposition, *hold in lines
    )
    return ReturnGoods(key=key, lines=goods)


def change(key: str, was: Any, becomes: Any, *lines: Line) -> ChangeCondition:
    goods = tuple(Demand(sku=sku, node=node, quantity=units) for sku, node, units in lines)
    return ChangeCondition(key=key, lines=goods, was=was, becomes=becomes)


def ship(
    key: str, *lines: tuple[str, int] | tuple[str, int, str], route: tuple[str, str] = ("TPE", "KHH"), **more: Any
) -> ShipTransfer:
    """Lines of (sku, quantity) and perhaps a hold; the transfer's id is T unless said otherwise."""
    goods = tuple(Shipped(sku=sku, quantity=units, hold=hold[0] if hold else None) for sku, units, *hold in lines)
    named = {"transfer": "T", **more}
    return ShipTransfer(key=key, from_node=route[0], to_node=route[1], lines=goods, **named)


def arrive(
    key: str, *lines: tuple[str, int] | tuple[str, int, Any], node: str = "KHH", transfer: str = "T"
) -> ReceiveTransfer:
    """Lines of (sku, quantity) and perhaps a condition."""
    goods = tuple(
        Arrived(sku=sku, quantity=units, condition=condition[0] if condition else "sellable")
        for sku, units, *condition in lines
    )
    return ReceiveTransfer(key=key, transfer=transfer, node=node, lines=goods)


def close(key: str, transfer: str = "T") -> CloseTransfer:
    return CloseTransfer(key=key, transfer=transfer)


def expect(
    key: str, due_at: datetime, *lines: tuple[str, int], inbound: str = "ASN", node: str = "TPE"
) -> ExpectReceipt:
    goods = tuple(Expected(sku=sku, quantity=units, due_at=due_at) for sku, units in lines)
    return ExpectReceipt(key=key, inbound=inbound, node=node, lines=goods)


def cancel(key: str, inbound: str = "ASN", node: str = "TPE") -> CancelReceipt:
    return CancelReceipt(key=key, inbound=inbound, node=node)


def unpack(key: str, *lines: Line, inbound: str = "ASN") -> Receive:
    return receive(key, *lines).model_copy(update={"inbound": inbound})


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def row_codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.row_refusals]


def rows(shop: Shop, sql: str) -> list[tuple[Any, ...]]:
    with shop.database.connection(read_only=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def counters(shop: Shop, sku: str = "MUG", node: str = "TPE", condition: str = "sellable") -> tuple[int, ...]:
    """(on hand, reserved, shortage) of a row in any condition; zeros where there is none."""
    found = rows(
        shop,
        "SELECT on_hand, reserved, shortage FROM omo_stock "
        f"WHERE sku = '{sku}' AND node = '{node}' AND condition = '{condition}'",
    )
    return found[0] if found else (0, 0, 0)


def places(shop: Shop, sku: str = "MUG") -> dict[str, int]:
    """Units of an item at every place of the ledger that has any."""
    found = rows(
        shop,
        f"SELECT place, sum(quantity) FROM omo_posting WHERE sku = '{sku}' GROUP BY place HAVING sum(quantity) <> 0",
    )
    return {place: int(units) for place, units in found}
