"""Reads rows of a table of orders, one row a line of an order, through the reader of the native format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from omo_core.channels.cursor import Cursor
from omo_core.channels.native_order import order_of, read_line
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.orders import MAX_LINES, Order, OrderLine


class Column(NamedTuple):
    """Where a column's text goes: a field of the native document's order, delivery, address, amounts or line."""

    place: str
    field: str
    kind: str = "text"
    """`text`, `number`, `flag`, or `lines` of text."""


COLUMNS: Final[Mapping[str, Column]] = {
    "external_id": Column("order", "external_id"),
    "placed_at": Column("order", "placed_at"),
    "sku": Column("line", "sku"),
    "quantity": Column("line", "quantity", "number"),
    # Of a line.
    "line": Column("line", "line"),
    "current_quantity": Column("line", "current_quantity", "number"),
    "title": Column("line", "title"),
    "listing": Column("line", "listing"),
    "unit_price": Column("line", "unit_price"),
    "gross": Column("line", "gross"),
    "discount": Column("line", "discount"),
    "tax": Column("line", "tax"),
    "physical": Column("line", "physical", "flag"),
    "gift": Column("line", "gift", "flag"),
    "bundle": Column("line", "bundle", "flag"),
    "parent": Column("line", "parent"),
    "preorder": Column("line", "preorder", "flag"),
    # Of an order, from its first row.
    "channel": Column("order", "channel"),
    "display_number": Column("order", "display_number"),
    "source_version": Column("order", "source_version", "number"),
    "status": Column("order", "status"),
    "payment": Column("order", "payment"),
    "updated_at": Column("order", "updated_at"),
    "cancelled_at": Column("order", "cancelled_at"),
    "cancel_reason": Column("order", "cancel_reason"),
    "test": Column("order", "test", "flag"),
    "currency": Column("order", "currency"),
    "note": Column("order", "note"),
    "buyer": Column("order", "buyer"),
    "hold_reason": Column("order", "hold_reason"),
    "ship_complete": Column("order", "ship_complete", "flag"),
    # Of its delivery.
    "method": Column("delivery", "method"),
    "pickup_node": Column("delivery", "pickup_node"),
    "service": Column("delivery", "service"),
    "deliver_by": Column("delivery", "deliver_by"),
    "ship_by": Column("delivery", "ship_by"),
    "not_before": Column("delivery", "not_before"),
    "recipient": Column("address", "recipient"),
    "phone": Column("address", "phone"),
    "street": Column("address", "street", "lines"),
    "district": Column("address", "district"),
    "city": Column("address", "city"),
    "region": Column("address", "region"),
    "postal_code": Column("address", "postal_code"),
    "country": Column("address", "country"),
    "latitude": Column("address", "latitude", "number"),
    "longitude": Column("address", "longitude", "number"),
    # Of its money.
    "taxes_included": Column("amounts", "taxes_included", "flag"),
    "total_discount": Column("amounts", "discount"),
    "platform_discount": Column("amounts", "platform_discount"),
    "shipping": Column("amounts", "shipping"),
    "total_tax": Column("amounts", "tax"),
    "tip": Column("amounts", "tip"),
    "fee": Column("amounts", "fee"),
    "rounding": Column("amounts", "rounding"),
    "total": Column("amounts", "total"),
}
"""Every column that is understood."""

NEEDED: Final = ("external_id", "placed_at", "sku", "quantity")
OPTIONAL: Final = tuple(name for name in COLUMNS if name not in NEEDED)

_OF_A_LINE: Final = tuple((name, column) for name, column in COLUMNS.items() if column.place == "line")
_OF_THE_HEAD: Final = tuple((name, column) for name, column in COLUMNS.items() if column.place != "line")
_PATHS: Final[Mapping[str, str]] = {
    {
        "order": "$.{}",
        "line": "$.lines[].{}",
        "delivery": "$.delivery.{}",
        "address": "$.delivery.address.{}",
        "amounts": "$.amounts.{}",
    }[column.place].format(column.field): name
    for name, column in COLUMNS.items()
}
"""Place in the native document to column."""

_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_SIGNED: Final = re.compile(r"[+-][0-9 ().,/-]*")
_KEPT_AS_TEXT: Final = re.compile(r'="([^"]*)"')
_INDEX: Final = re.compile(r"\[[0-9]+\]")


class Row(NamedTuple):
    """One row: the line of the file on which it ends, and its cells by our names."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row; the error names its line and column in words."""

    line: int
    column: str | None
    """The column's title in the table; None where it is about the row as a whole."""
    error: InvalidInput


def read_rows(
    rows: Sequence[Row], *, channel: str, currency: str | None, sha256: str, titles: Mapping[str, str] | None = None
) -> Order | tuple[Fault, ...]:
    """The order that these rows make, or what is wrong with them: one fault a bad row.

    `channel` and `currency` are of orders that name none; `titles` says what our columns are called in the table.
    """
    reading = _Reading(rows, titles or {})
    order = reading.order(channel, currency, sha256)
    return order if order is not None and not reading.faults else tuple(reading.faults)


class _Reading:
    """The reading of one order's rows."""

    def __init__(self, rows: Sequence[Row], titles: Mapping[str, str]) -> None:
        self.rows = rows
        self.faults: list[Fault] = []
        self._titles = titles

    def order(self, channel: str, currency: str | None, sha256: str) -> Order | None:
        head = self.rows[0]
        try:
            if len(self.rows) > MAX_LINES:
                raise UnreadableBody(f"has {len(self.rows)} rows; split orders of more than {MAX_LINES}", path="$")
            document = self._head(head.cells)
            document.setdefault("channel", channel)
            if currency is not None:
                document.setdefault("currency", currency)
            top = Cursor(document)
            unit = top.currency("currency")
        except InvalidInput as error:
            self._fault(head, error)
            return None
        for row in self.rows[1:]:
            self._agree(row, head)
        lines = [line for number, row in enumerate(self.rows) if (line := self._line(row, number, unit, top))]
        if self.faults:
            return None
        try:
            return order_of(top, lines, top.text("channel"), sha256)
        except InvalidInput as error:
            self._fault(head, error)
            return None

    def _agree(self, row: Row, head: Row) -> None:
        """A further row says of the order what its first one says, or nothing: another address would be lost else."""
        for name, _ in _OF_THE_HEAD:
            text = row.cells.get(name)
            if text and text != head.cells.get(name):
                path = f"column {name}"
                fault = f"{path} differs from the order's first row, line {head.line}; say it alike, or leave it empty"
                self._fault(row, UnreadableBody(fault, path=path))
                return

    def _head(self, cells: Mapping[str, str]) -> dict[str, Any]:
        places: dict[str, dict[str, Any]] = {"order": {}, "delivery": {}, "address": {}, "amounts": {}}
        for name, column in _OF_THE_HEAD:
            if text := cells.get(name):
                places[column.place][column.field] = _value(text, name, column)
        if places["address"]:
            places["delivery"]["address"] = places["address"]
        document = {"type": "order", "version": 1, **places["order"]}
        return document | {name: places[name] for name in ("delivery", "amounts") if places[name]}

    def _line(self, row: Row, number: int, currency: str, top: Cursor) -> OrderLine | None:
        try:
            fields = {
                column.field: _value(text, name, column) for name, column in _OF_A_LINE if (text := row.cells.get(name))
            }
            return read_line(Cursor(fields, parent=top, key="lines", index=number), number + 1, currency)
        except InvalidInput as error:
            self._fault(row, error)
            return None

    def _fault(self, row: Row, error: InvalidInput) -> None:
        path = str(error.details.get("path", ""))
        name = _PATHS.get(_INDEX.sub("[]", path), path.removeprefix("column ") if path.startswith("column ") else None)
        column = self._titles.get(name, name) if name else None
        where = f"line {row.line}, column {column}" if column else f"line {row.line}"
        sentence = f"{where} {str(error).removeprefix(path).removeprefix(':').strip()}"
        self.faults.append(Fault(row.line, column, type(error)(sentence, path=where)))


def _value(text: str, name: str, column: Column) -> Any:
    """A cell as the native document writes it; raises `UnreadableBody` for a formula."""
    kept = _KEPT_AS_TEXT.fullmatch(text)
    if kept:  # How spreadsheets keep the zeros of 007.
        text = kept[1].strip()
    elif text[0] == "'" and text[1:2].isascii() and text[1:2] in {*"+-0123456789"}:
        text = text[1:]
    elif _is_formula(text):
        path = f"column {name}"
        raise UnreadableBody(f"{path} begins like a formula; export values, not formulas", path=path)
    if column.kind == "number":
        # What is no number is left for the reader of the document to refuse.
        return text if not _NUMBER.fullmatch(text) else Decimal(text) if "." in text else int(text)
    if column.kind == "flag":
        return _FLAGS.get(text.lower(), text)
    if column.kind == "lines":
        return [one.strip() for one in text.splitlines() if one.strip()]
    return text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute it: nobody's id, name or amount begins so, and what does is an attack."""
    if text[0] in "=@＝＠\t\r":
        return True
    return text[0] in "+-" and text[1:2] != " " and not _SIGNED.fullmatch(text)
