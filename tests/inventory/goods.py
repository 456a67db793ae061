"""Commands of goods in few words, and what they left in the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from omo_core.model.goods import (
    AbsoluteFeed,
    Adjustment,
    AdjustReason,
    AdjustStock,
    ChangeCondition,
    Counted,
    CountStock,
    Returned,
    ReturnGoods,
)
from omo_core.model.stock import Demand, StockAnswer
from tests.inventory.conftest import Line, Shop


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
