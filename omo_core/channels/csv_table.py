"""The CSV channel: orders of anything that can export a table, one row a line, with a header.

Format: https://www.rfc-editor.org/rfc/rfc4180, and what spreadsheets make of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from omo_core.channels.csv_orders import COLUMNS, NEEDED, Fault, Row, read_rows
from omo_core.channels.dialect import Dialect, DialectConfig, sha256_of
from omo_core.channels.intents import Capabilities
from omo_core.model.errors import BodyTooLarge, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.values import ChannelId, Currency, Value

MAX_COLUMNS: Final = 500
_DELIMITERS: Final = (",", ";", "\t", "|")

Encoding = Literal["utf-8", "utf-16", "gb18030", "big5", "cp950", "shift_jis", "cp1252", "iso-8859-1"]


class CsvConfig(DialectConfig):
    """How to read one sender's tables."""

    channel: ChannelId = "csv"
    """Of orders that name none."""
    currency: Currency | None = None
    """Of orders that name none; None: each has to."""
    columns: Mapping[str, str] = {}
    """Our name of a column to the table's; a name that is not listed is the same in both."""
    encoding: Encoding = "utf-8"
    """Of tables that do not begin with a byte order mark."""
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    """None: the one that the header shows."""
    ignore_other_columns: bool = False
    """Pass over columns that we have no name for. Otherwise they are refused, so that a misspelt one is noticed."""


@dataclass(frozen=True, slots=True)
class CsvOrders:
    """What a table holds: the orders that can be used, and one fault for each row that cannot."""

    orders: tuple[Order, ...]
    faults: tuple[Fault, ...]


class CsvAdapter(Dialect[CsvConfig]):
    """Reads tables of orders. It sends nothing and is sent nothing: the host brings the table."""

    config_type: ClassVar[type[Value]] = CsvConfig
    capabilities: ClassVar[Capabilities] = Capabilities(pushes=False)

    def __init__(self, config: CsvConfig | None = None) -> None:
        super().__init__(config)
        unknown = sorted(self.config.columns.keys() - COLUMNS.keys())
        if unknown:
            raise UnreadableBody(f"columns maps {unknown[0]!r}, which is none of: {', '.join(COLUMNS)}")

    def read(self, body: bytes) -> CsvOrders:
        """Every order of a table that can be used, and what is wrong with the rows of the others.

        Raises `UnreadableBody` or `BodyTooLarge` where the table as a whole cannot be read.
        """
        orders: list[Order] = []
        faults: list[Fault] = []
        sha256 = sha256_of(body)
        seen: dict[str, int] = {}
        for rows in _by_order(self._rows(body)):
            first = seen.setdefault(rows[0].cells["external_id"], rows[0].line)
            found = self._read(rows, sha256) if first == rows[0].line else (self._apart(rows[0], first),)
            if isinstance(found, Order):
                orders.append(found)
            else:
                faults += found
        return CsvOrders(tuple(orders), tuple(faults))

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read a table of one order; raises the first fault of a row, with its line and column."""
        del more
        orders = self.parse_orders(body)
        if len(orders) != 1:
            raise UnreadableBody(f"the table holds {len(orders)} orders; send exactly one here")
        return orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a table of orders; raises the first fault of a row, with its line and column. See also `read`."""
        found = self.read(body)
        if found.faults:
            raise found.faults[0].error
        return found.orders

    def _read(self, rows: Sequence[Row], sha256: str) -> Order | tuple[Fault, ...]:
        config = self.config
        return read_rows(rows, channel=config.channel, currency=config.currency, sha256=sha256, titles=config.columns)

    def _apart(self, row: Row, first: int) -> Fault:
        column = self.config.columns.get("external_id", "external_id")
        where = f"line {row.line}, column {column}"
        sentence = f"{where} names the order of line {first} again; put the rows of one order together"
        return Fault(row.line, column, UnreadableBody(sentence, path=where))

    def _rows(self, body: bytes) -> Iterator[Row]:
        lines, skipped, delimiter = self._table(body)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = [title.strip() for title in next(reader, [])]
            places = self._places(header)
            for cells in reader:
                line = reader.line_num + skipped
                if len(cells) > len(header):
                    raise UnreadableBody(
                        f"line {line} has {len(cells)} cells, the header {len(header)}; put texts that hold"
                        f" {delimiter!r} in quotation marks",
                        path=f"line {line}",
                    )
                if any(cell.strip() for cell in cells):
                    yield Row(line, {n: cells[at].strip() if at < len(cells) else "" for n, at in places.items()})
        except csv.Error as error:
            line = reader.line_num + skipped
            raise UnreadableBody(
                f"line {line} is not CSV ({error}); export the table again", path=f"line {line}"
            ) from None

    def _table(self, body: bytes) -> tuple[io.StringIO, int, str]:
        """The text after the line in which a spreadsheet says its delimiter, how many that were, and the delimiter."""
        text = _decoded(body, self.config)
        first, _, rest = text.partition("\n")
        if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
            return io.StringIO(rest, newline=""), 1, self.config.delimiter or _known(first.strip()[4])
        return io.StringIO(text, newline=""), 0, self.config.delimiter or self._delimiter(first)

    def _delimiter(self, header: str) -> str:
        """The one by which the header has most of the columns that we look for."""
        wanted = {self.config.columns.get(name, name) for name in COLUMNS}

        def found(delimiter: str) -> int:
            return sum(title.strip().strip('"') in wanted for title in header.split(delimiter))

        return max(_DELIMITERS, key=found)

    def _places(self, header: Sequence[str]) -> Mapping[str, int]:
        """Where each of our columns stands."""
        titles = {name: self.config.columns.get(name, name) for name in COLUMNS}
        shown = ", ".join(title[:40] for title in header[:40])[:300] or "none"
        if len(header) > MAX_COLUMNS:
            raise UnreadableBody(f"the header has {len(header)} columns; send at most {MAX_COLUMNS}", path="line 1")
        missing = [
            title
            for name, title in titles.items()
            if title not in header and (name in NEEDED or name in self.config.columns)
        ]
        if missing:
            raise UnreadableBody(
                f"the header has no column {missing[0][:40]} (it has: {shown}); add or map it", path="line 1"
            )
        twice = [title for title in titles.values() if header.count(title) > 1]
        if twice:
            raise UnreadableBody(f"the header has two columns {twice[0][:40]}; rename one", path="line 1")
        others = [title for title in header if title and title not in titles.values()]
        if others and not self.config.ignore_other_columns:
            raise UnreadableBody(
                f"the header has a column {others[0][:40]!r} that is none of ours; rename it, map it, or let other"
                " columns be ignored",
                path="line 1",
            )
        return {name: header.index(title) for name, title in titles.items() if title in header}


def _known(delimiter: str) -> str:
    if delimiter not in _DELIMITERS:
        raise UnreadableBody(f"the table says sep={delimiter[:1]!r}; separate cells by a comma, semicolon, tab or bar")
    return delimiter


def _decoded(body: bytes, config: CsvConfig) -> str:
    if len(body) > config.max_bytes:
        raise BodyTooLarge(
            f"the table has {len(body)} bytes; at most {config.max_bytes} are read, so send fewer orders at a time",
            size=len(body),
            limit=config.max_bytes,
        )
    encoding: str = config.encoding
    if body.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    elif body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableBody(
            f"byte {error.start} of the table is not {encoding}; set its encoding, or send UTF-8"
        ) from None
    if "\x00" in text:
        raise UnreadableBody("the table holds NUL characters; export it as CSV text, not as a workbook")
    return text


def _by_order(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows of one order stand together."""
    order: list[Row] = []
    for row in rows:
        if order and row.cells["external_id"] != order[0].cells["external_id"]:
            yield order
            order = []
        order.append(row)
    if order:
        yield order
