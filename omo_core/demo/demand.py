"""Demand of the demo: each basket of the flow becomes an online order or a counter sale in canonical form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from omo_core.channels.port import SoldLine, TillSale
from omo_core.demo.baskets import Lines
from omo_core.demo.dialects import CLICK_AND_COLLECT, MARKETPLACE, MINI_PROGRAM, TILL, WEB_SHOP, fitted
from omo_core.demo.places import Place, fraction
from omo_core.demo.supply import store_id
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    PaymentStatus,
)

ONLINE_SHARE: Final = 0.40
METHOD_SHARES: Final = (
    (DeliveryMethod.SHIP, 0.60),
    (DeliveryMethod.PICKUP, 0.25),
    (DeliveryMethod.ONE_HOUR, 0.15),
)

MARKETPLACE_SHARE: Final = 0.25
"""Of the orders that are shipped."""


@dataclass(frozen=True)
class Basket:
    """One basket of the flow: what goes on as an order or sale (None if nothing is left of it), and what does not."""

    sale: Order | TillSale | None
    method: DeliveryMethod | None
    """None for a counter sale."""
    lines: int
    off_catalogue_lines: int
    """Lines of an online basket whose SKU no node has at the start: not ordered."""
    off_book_lines: int
    """Lines of a counter sale that the store's opening book does not know: sold all the same, and shown."""


class Demand:
    """Turns the baskets of a flow into orders and counter sales; pure, and fixed by the seed."""

    def __init__(self, homes: Mapping[int, Place], stocked: Collection[tuple[str, str]], seed: int) -> None:
        """`stocked` holds (sku, node) of every opening stock row."""
        self._homes = homes
        self._book = frozenset(stocked)
        self._catalogue = frozenset(sku for sku, _ in stocked)
        self._seed = seed

    def baskets(self, flow: Lines) -> Iterator[Basket]:
        """One result a basket, in the order of the flow."""
        starts = flow.basket_starts.tolist()
        for start, end in zip(starts, [*starts[1:], len(flow)], strict=True):
            basket = int(flow.basket[start])
            if fraction(f"{self._seed}/online/{basket}") < ONLINE_SHARE:
                yield self._online(flow, start, end)
            else:
                yield self._counter(flow, start, end)

    def _counter(self, flow: Lines, start: int, end: int) -> Basket:
        node = store_id(int(flow.store[start]))
        lines = tuple(
            SoldLine(sku=str(sku), quantity=quantity)
            for sku, quantity in zip(flow.product[start:end].tolist(), flow.quantity[start:end].tolist(), strict=True)
        )
        sale = TillSale(
            channel=TILL,
            external_id=str(flow.basket[start]),
            node=node,
            sold_at=_instant(flow, start),
            lines=lines,
        )
        unknown = sum((line.sku, node) not in self._book for line in lines)
        return Basket(sale, None, end - start, off_catalogue_lines=0, off_book_lines=unknown)

    def _online(self, flow: Lines, start: int, end: int) -> Basket:
        method = self._method(int(flow.basket[start]))
        rows = [row for row in range(start, end) if str(flow.product[row]) in self._catalogue]
        order = self._order(flow, rows, method) if rows else None
        return Basket(order, method, end - start, off_catalogue_lines=end - start - len(rows), off_book_lines=0)

    def _method(self, basket: int) -> DeliveryMethod:
        drawn, upto = fraction(f"{self._seed}/method/{basket}"), 0.0
        for method, share in METHOD_SHARES:
            upto += share
            if drawn < upto:
                return method
        return METHOD_SHARES[-1][0]

    def _channel(self, basket: int, method: DeliveryMethod) -> str:
        drawn = fraction(f"{self._seed}/channel/{basket}")
        if method is DeliveryMethod.SHIP:
            return MARKETPLACE if drawn < MARKETPLACE_SHARE else WEB_SHOP
        if method is DeliveryMethod.PICKUP:
            return CLICK_AND_COLLECT[int(drawn * len(CLICK_AND_COLLECT))]
        return MINI_PROGRAM

    def _order(self, flow: Lines, rows: list[int], method: DeliveryMethod) -> Order:
        first, instant = rows[0], _instant(flow, rows[0])
        lines = tuple(_order_line(flow, row, number) for number, row in enumerate(rows, start=1))
        amounts = [line.amounts for line in lines if line.amounts]
        gross = sum(one.gross_minor for one in amounts)
        discount = sum(one.discount_minor for one in amounts)
        placed = Order(
            channel=self._channel(int(flow.basket[first]), method),
            external_id=str(flow.basket[first]),
            display_number=f"#{flow.basket[first]}",
            source_version=int(flow.instant_s[first]) * 1_000_000,
            payment=PaymentStatus.PAID,
            placed_at=instant,
            updated_at=instant,
            currency="USD",
            lines=lines,
            deliveries=(self._delivery(flow, first, method),),
            amounts=OrderAmounts(
                taxes_included=False,
                line_gross_minor=gross,
                discount_minor=discount,
                total_minor=gross - discount,
            ),
        )
        return fitted(placed)

    def _delivery(self, flow: Lines, row: int, method: DeliveryMethod) -> Delivery:
        if method is DeliveryMethod.PICKUP:
            return Delivery(method=method, pickup_node=store_id(int(flow.store[row])))
        household = int(flow.household[row])
        home = self._homes[household]
        address = Address(
            recipient=f"Household {household}",
            street=(f"Home of household {household}",),
            city=home.city.name,
            region=home.city.state,
            country="US",
            point=home.point,
        )
        return Delivery(method=method, address=address)


def _instant(flow: Lines, row: int) -> datetime:
    return datetime.fromtimestamp(int(flow.instant_s[row]), UTC)


def _order_line(flow: Lines, row: int, number: int) -> OrderLine:
    """The line with its money: list price is what the shelf said, discounts are all that the buyer did not pay.

    The source prices by line. Where its shelf price does not divide by the quantity, the unit price is the next cent
    up and the difference joins the discount, so that the buyer pays to the cent what the source says he paid.
    """
    quantity = int(flow.quantity[row])
    shelf = int(flow.sales_minor[row] + flow.retail_discount_minor[row])
    paid = max(0, int(flow.sales_minor[row] - flow.coupon_minor[row]))
    unit = -(-shelf // quantity)
    return OrderLine(
        line=f"{flow.basket[row]}{number:03d}",
        sku=str(flow.product[row]),
        quantity=quantity,
        current_quantity=quantity,
        amounts=LineAmounts(
            list_unit_price_minor=unit, gross_minor=unit * quantity, discount_minor=unit * quantity - paid
        ),
    )
