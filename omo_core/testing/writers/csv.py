"""Writes canonical orders as the CSV table that the channel `csv` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from omo_core.channels.csv_orders import COLUMNS
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Address, Order, OrderLine
from omo_core.model.values import format_minor


def write_csv_orders(orders: Sequence[Order]) -> bytes:
    """The orders as one table in UTF-8, a row a line, every column filled.

    Raises `InvalidInput` for what a table cannot carry: several deliveries, refunds, payments, named discounts,
    another currency for the buyer, masked receivers, and texts that a spreadsheet would take for formulas.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, list(COLUMNS), lineterminator="\r\n")
    table.writeheader()
    for order in orders:
        _check(order)
        head = _head(order)
        for line in order.lines:
            row = head | _line(line, order.currency)
            table.writerow({name: _safe(value) for name, value in row.items()})
    return text.getvalue().encode()


def _check(order: Order) -> None:
    (delivery, *others) = order.deliveries
    address = delivery.address
    lost = {
        "deliveries": bool(others) or delivery.fulfilment is not None,
        "refunds": bool(order.refunds),
        "payments": bool(order.payments),
        "discounts": bool(order.discounts),
        "presentment_currency": order.presentment_currency is not None,
        "masked or token": address is not None and (address.masked or address.token is not None),
        "empty address": address == Address(),
        "empty street": address is not None and any(not line.strip() or "\n" in line for line in address.street),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons:
        raise InvalidInput(f"a table cannot carry this order's {', '.join(reasons)}; use the native format")


def _head(order: Order) -> dict[str, Any]:
    delivery, amounts = order.deliveries[0], order.amounts
    address = delivery.address or Address()
    found: dict[str, Any] = {name: getattr(order, name) for name, column in COLUMNS.items() if column.place == "order"}
    found |= {name: getattr(delivery, name) for name, column in COLUMNS.items() if column.place == "delivery"}
    found |= {
        name: getattr(address, column.field)
        for name, column in COLUMNS.items()
        if column.place == "address" and name not in {"latitude", "longitude"}
    }
    if address.point is not None:
        found |= {"latitude": f"{address.point.latitude:.9f}", "longitude": f"{address.point.longitude:.9f}"}
    if amounts is not None:
        found["taxes_included"] = amounts.taxes_included
        for name, column in COLUMNS.items():
            if column.place == "amounts" and column.kind == "text":
                found[name] = format_minor(getattr(amounts, f"{column.field}_minor"), order.currency)
    return found


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    money = {
        "unit_price": "list_unit_price_minor",
        "gross": "gross_minor",
        "discount": "discount_minor",
        "tax": "tax_minor",
    }
    found = {
        name: getattr(line, name) for name, column in COLUMNS.items() if column.place == "line" and name not in money
    }
    if line.amounts is not None:
        found |= {name: format_minor(getattr(line.amounts, field), currency) for name, field in money.items()}
    return found


def _safe(value: Any) -> str:
    """A cell's text; a number keeps its sign, and no text begins as a formula does."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return "\n".join(value)
    text = str(value)
    if text[:1] in {*"=@＝＠+-'"} and not text.removeprefix("-").replace(".", "", 1).isdigit():
        raise InvalidInput(f"a table cannot carry {text[:40]!r}, which begins like a formula; use the native format")
    return text
