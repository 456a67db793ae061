"""Random commands of the physical world: counts, feeds, corrections, returns and changes of condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from omo_core.model.goods import (
    LOSSES,
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
from omo_core.model.stock_commands import StockCommand
from omo_core.testing.simulator_desk import Desk

_FEEDS: Final = ("wms", "erp")


def _counted(desk: Desk) -> tuple[Counted, ...]:
    cells = [desk.cell() for _ in range(desk.dice.choice((1, 1, 2)))]
    most = desk.dice.choice((4, 30, 120))
    units = [desk.dice.randint(0, most) for _ in cells]
    return tuple(
        Counted(sku=sku, node=node, condition=desk.condition(), quantity=quantity)
        for (sku, node), quantity in zip(cells, units, strict=True)
    )


def count_stock(desk: Desk, scope: str, key: str) -> CountStock:
    """People counted a shelf, now or this morning."""
    return CountStock(scope=scope, key=key, lines=_counted(desk), counted_at=desk.instant())


def absolute_feed(desk: Desk, scope: str, key: str) -> AbsoluteFeed:
    """Another system reports its book, perhaps an old one."""
    as_of = desk.instant()
    sequence = None if as_of is not None and desk.dice.random() < 0.5 else desk.dice.randint(0, 300)
    source = desk.dice.choice(_FEEDS)
    return AbsoluteFeed(scope=scope, key=key, source=source, sequence=sequence, as_of=as_of, lines=_counted(desk))


def adjust_stock(desk: Desk, scope: str, key: str) -> AdjustStock:
    """Something broke, vanished or turned up."""
    reason = desk.dice.choice(list(AdjustReason))
    lines = []
    for line in desk.goods(4):
        down = reason in LOSSES or (reason is AdjustReason.OTHER and desk.dice.random() < 0.5)
        units = -line.quantity if down else line.quantity
        lines.append(Adjustment(sku=line.sku, node=line.node, condition=desk.condition(), quantity=units))
    return AdjustStock(scope=scope, key=key, lines=tuple(lines), reason=reason)


def return_goods(desk: Desk, scope: str, key: str) -> ReturnGoods:
    """A buyer brings something back, mostly of an order, to whatever node."""
    lines = []
    for line in desk.goods(3):
        hold, sku = desk.dice.choice(desk.issued) if desk.issued and desk.dice.random() < 0.8 else (None, line.sku)
        sku = line.sku if desk.dice.random() < 0.03 else sku
        disposition = desk.disposition()
        lines.append(Returned(sku=sku, node=line.node, quantity=line.quantity, disposition=disposition, hold=hold))
    return ReturnGoods(scope=scope, key=key, lines=tuple(lines))


def change_condition(desk: Desk, scope: str, key: str) -> ChangeCondition:
    """Goods turn out to be unfit, or fit after all."""
    was = desk.condition()
    becomes = desk.disposition()
    if was == becomes:
        becomes = "write_off"
    return ChangeCondition(scope=scope, key=key, lines=desk.goods(3), was=was, becomes=becomes)


GOODS: Final[Mapping[Callable[[Desk, str, str], StockCommand], int]] = {
    count_stock: 4,
    absolute_feed: 4,
    adjust_stock: 4,
    return_goods: 5,
    change_condition: 4,
}
"""(desk, scope, key) → command, and its weight among all commands."""
