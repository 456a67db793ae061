"""Input files: stock as CSV, orders as JSON lines or CSV; every row that cannot be used is named, none is guessed."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidInput
from omo_core.model.values import MAX_QUANTITY

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
STOCK_COLUMNS: Final = ("sku", "node", "quantity")
ORDER_NEEDED: Final = ("external_id", "placed_at", "sku", "quantity")
ORDER_OPTIONAL: Final = (
    *("channel", "method", "pickup_node", "latitude", "longitude", "unit_price", "currency"),
    *("recipient", "city", "region", "postal_code", "country"),
)
ORDER_COLUMNS: Final = ORDER_NEEDED + ORDER_OPTIONAL
ALL_COLUMNS: Final = ("node", *ORDER_COLUMNS)
_MAX_DIGITS: Final = len(str(MAX_QUANTITY))


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not used: where it stands, a stable code, and a sentence."""

    file: str
    line: int
    code: str
    reason: str


class StockRow(NamedTuple):
    """Sellable goods of one item at one node at the start."""

    line: int
    sku: str
    node: str
    quantity: int


class CsvRow(NamedTuple):
    """One row of a CSV file by our names, where it ends, and what is wrong with its shape, if anything."""

    line: int
    cells: Mapping[str, str]
    fault: str | None = None

    def text(self, name: str) -> str:
        """The text of a column, '' where the file has none of that name."""
        return self.cells.get(name, "")


@dataclass(frozen=True, slots=True)
class InputLine:
    """One message of an orders file.

    `channel` None: an unsigned document from our own disk, in the native format or the run's default dialect.
    """

    line: int
    channel: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    documents: tuple[bytes, ...] = ()
    """What the channel answered to the requests that the message asks for, where it only names an order."""
    fault: tuple[str, str] | None = None
    """Code and reason of a line that cannot be used at all."""
    rows: tuple[CsvRow, ...] = ()
    """The rows of an order that stands in a table."""


def read_columns(options: Sequence[str]) -> dict[str, str]:
    """Column mapping from options such as `sku=Article`: our name to the file's header.

    `stock.sku=Article` and `orders.sku=SKU` mean one file; without either, the file that has such a header.
    Raises `InvalidInput` for a name that no file has a use for.
    """
    mapping: dict[str, str] = {}
    for option in options:
        name, separator, header = option.partition("=")
        if not separator or not name or not header:
            raise InvalidInput(f"{option!r} is no column mapping; write OURS=THEIRS, for example sku=Article")
        file, dot, column = name.rpartition(".")
        known = {"stock": STOCK_COLUMNS, "orders": ORDER_COLUMNS}.get(file, () if dot else ALL_COLUMNS)
        if column not in known:
            raise InvalidInput(f"{option!r} names no column of ours; map one of: {', '.join(ALL_COLUMNS)}")
        mapping[name] = header
    return mapping


def columns_of(file: str, columns: Mapping[str, str], header: Sequence[str]) -> dict[str, str]:
    """The mapping that holds for one file (`stock` or `orders`) with this header."""
    shared = {name: theirs for name, theirs in columns.items() if "." not in name}
    found = {name: theirs for name, theirs in shared.items() if theirs in header or name not in header}
    own = {name.removeprefix(f"{file}."): theirs for name, theirs in columns.items() if name.startswith(f"{file}.")}
    return {**found, **own}


def read_stock(path: Path, columns: Mapping[str, str], rejected: list[RejectedRow]) -> Iterator[StockRow]:
    """Rows of a stock CSV with a header line; rows of zero units are passed over, bad ones go to `rejected`.

    Raises `InvalidInput` where the file cannot be read or lacks a column.
    """
    for line, cells, fault in read_csv(path, "stock", STOCK_COLUMNS, columns):
        sku, node, text = cells["sku"], cells["node"], cells["quantity"]
        if fault is not None:
            rejected.append(RejectedRow(path.name, line, "unreadable_row", fault))
        elif not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS) or int(text) > MAX_QUANTITY:
            reason = f"quantity {text[:40]!r} is not a whole number of units from 0 to {MAX_QUANTITY}; correct it"
            rejected.append(RejectedRow(path.name, line, "invalid_quantity", reason))
        elif not sku or not node:
            rejected.append(RejectedRow(path.name, line, "missing_value", "sku and node must not be empty"))
        elif int(text):
            yield StockRow(line, sku, node, int(text))


def read_csv(
    path: Path, file: str, names: Sequence[str], columns: Mapping[str, str], optional: Sequence[str] = ()
) -> Iterator[CsvRow]:
    """Rows of a CSV file in UTF-8 with a header, by our names; `file` is `stock` or `orders`, for the mapping.

    A name without a mapping is looked for under itself. Raises `InvalidInput` naming the missing columns.
    """
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = [title.strip() for title in next(reader, [])]
            places = _places(path, header, names, columns_of(file, columns, header), optional)
            pick, width = itemgetter(*places.values()), len(header)
            for cells in reader:
                line = reader.line_num
                if any(cells):
                    padded = cells if len(cells) >= width else cells + [""] * (width - len(cells))
                    row = dict(zip(places, map(str.strip, pick(padded)), strict=True))
                    yield CsvRow(line, row, _fault(cells, header) if len(cells) > width else None)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} is not CSV in UTF-8 after line {line} ({error}); export it again") from error


def _fault(cells: Sequence[str], header: Sequence[str]) -> str:
    return f"the row has {len(cells)} cells, the header {len(header)}; put texts that hold commas in quotation marks"


def _places(
    path: Path, header: Sequence[str], names: Sequence[str], mapping: Mapping[str, str], optional: Sequence[str]
) -> dict[str, int]:
    """Where each of our columns stands."""
    theirs = {name: mapping.get(name, name) for name in (*names, *optional)}
    missing = [theirs[name] for name in theirs if theirs[name] not in header and (name in names or name in mapping)]
    if missing:
        raise InvalidInput(
            f"{path} has no column {', '.join(missing)} (it has: {', '.join(header) or 'none'}); "
            f"map it, for example with --column {names[0]}={header[0] if header else 'Header'}"
        )
    twice = [title for title in theirs.values() if header.count(title) > 1]
    if twice:
        raise InvalidInput(f"{path} has two columns {twice[0]}; rename one")
    return {name: header.index(title) for name, title in theirs.items() if title in header}


def read_messages(path: Path) -> Iterator[InputLine]:
    """Messages of a JSON-lines file: each line a document, or an envelope {"channel", "headers", "body"} as signed.

    An envelope whose message only names an order has `documents` too: the bodies that answer what it asks for.
    A file that is one JSON document (an object over several lines, such as a saved API answer) is one message.
    """
    try:
        with path.open("rb") as content:
            first = content.readline(MAX_LINE_BYTES + 1)
            content.seek(0)
            if path.suffix.lower() != ".jsonl" and not _is_json(first):
                yield InputLine(1, body=content.read(MAX_LINE_BYTES))
                return
            for number, line in enumerate(_bounded_lines(content), start=1):
                if line.strip():
                    yield _message(number, line)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error


def _bounded_lines(content: BinaryIO) -> Iterator[bytes]:
    """Lines, of which at most a little more than `MAX_LINE_BYTES` are kept; the rest of a longer one is passed over."""
    while line := content.readline(MAX_LINE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = content.readline(MAX_LINE_BYTES)
        yield line


def _is_json(line: bytes) -> bool:
    """Whether the first line stands for itself as JSON; otherwise the file as a whole is one document."""
    try:
        read_json(line, max_bytes=MAX_LINE_BYTES)
    except InvalidInput:
        return False
    return True


def _message(number: int, line: bytes) -> InputLine:
    if len(line) > MAX_LINE_BYTES:
        return InputLine(number, fault=("body_too_large", f"the line is longer than {MAX_LINE_BYTES} bytes; split it"))
    line = line.strip()
    # In a signed body the quotation marks of such keys are escaped.
    if b'"headers"' not in line or b'"body"' not in line:
        return InputLine(number, body=line)
    try:
        envelope = read_json(line, max_bytes=MAX_LINE_BYTES)
    except InvalidInput as error:
        return InputLine(number, fault=(error.code, f"the line is no envelope: {error}"))
    if not _is_envelope(envelope):
        reason = 'the line is no envelope; write {"channel": "…", "headers": {"…": "…"}, "body": "…"}, and "documents"'
        reason += " where the message only names an order"
        return InputLine(number, fault=("unreadable_body", reason))
    documents = tuple(text.encode() for text in envelope.get("documents", ()))
    return InputLine(number, envelope["channel"], envelope["headers"], envelope["body"].encode(), documents)


def _is_envelope(found: Any) -> bool:
    if not isinstance(found, dict) or found.keys() - {"documents"} != {"channel", "headers", "body"}:
        return False
    headers, documents = found["headers"], found.get("documents", [])
    texts = [found["channel"], found["body"], *(headers.values() if isinstance(headers, dict) else [None])]
    texts += documents if isinstance(documents, list) else [None]
    return all(isinstance(text, str) for text in texts)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, the stem of its commands' keys: another file is another run."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error
    return digest.hexdigest()
