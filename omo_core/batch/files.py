"""Input files: stock as CSV, orders as JSON lines or CSV; every row that cannot be used is named, none is guessed."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omo_core.model.errors import InvalidInput
from omo_core.model.values import MAX_QUANTITY

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
STOCK_COLUMNS: Final = ("sku", "node", "quantity")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not used: where it stands, a stable code, and a sentence."""

    file: str
    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class StockRow:
    """Sellable goods of one item at one node at the start."""

    line: int
    sku: str
    node: str
    quantity: int


@dataclass(frozen=True, slots=True)
class InputLine:
    """One message of an orders file.

    `channel` None: an unsigned document from our own disk, in the native format or the run's default dialect.
    """

    line: int
    channel: str | None
    headers: Mapping[str, str]
    body: bytes


def read_columns(options: list[str]) -> dict[str, str]:
    """Column mapping from options such as `sku=Article`: our name to the file's header."""
    mapping: dict[str, str] = {}
    for option in options:
        name, separator, header = option.partition("=")
        if not separator or not name or not header:
            raise InvalidInput(f"{option!r} is no column mapping; write OURS=THEIRS, for example sku=Article")
        mapping[name] = header
    return mapping


def read_stock(path: Path, columns: Mapping[str, str], rejected: list[RejectedRow]) -> Iterator[StockRow]:
    """Rows of a stock CSV with a header line; rows of zero units are passed over, bad ones go to `rejected`.

    Raises `InvalidInput` where the file cannot be read or lacks a column.
    """
    for line, row in read_csv(path, STOCK_COLUMNS, columns):
        text = row["quantity"]
        if not (text.isascii() and text.isdigit()) or int(text) > MAX_QUANTITY:
            reason = f"quantity {text!r} is not a whole number of units from 0 to {MAX_QUANTITY}"
            rejected.append(RejectedRow(path.name, line, "invalid_quantity", reason))
        elif not row["sku"] or not row["node"]:
            rejected.append(RejectedRow(path.name, line, "missing_value", "sku and node must not be empty"))
        elif int(text):
            yield StockRow(line, row["sku"], row["node"], int(text))


def read_csv(path: Path, names: tuple[str, ...], columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, our names → text) of a CSV file in UTF-8 with a header; only mapped columns are given.

    A name without a mapping is looked for under itself. Raises `InvalidInput` naming the missing columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = next(reader, [])
            places = {
                name: header.index(columns.get(name, name)) for name in names if columns.get(name, name) in header
            }
            missing = [columns.get(name, name) for name in names if name not in places]
            if missing:
                raise InvalidInput(
                    f"{path} has no column {', '.join(missing)} (it has: {', '.join(header) or 'none'}); "
                    f"map it, for example with --column {names[0]}={header[0] if header else 'Header'}"
                )
            for cells in reader:
                if cells:
                    padded = cells + [""] * (len(header) - len(cells))
                    yield reader.line_num, {name: padded[place].strip() for name, place in places.items()}
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} is not CSV in UTF-8 ({error}); export it again as CSV UTF-8") from error


def read_header(path: Path) -> list[str]:
    """The column names of a CSV file; `InvalidInput` where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return next(csv.reader(lines, strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"cannot read the header of {path} ({error}); export it again as CSV UTF-8") from error


def read_messages(path: Path, rejected: list[RejectedRow]) -> Iterator[InputLine]:
    """Messages of a JSON-lines file: each line a document, or an envelope {"channel", "headers", "body"} as signed.

    A file that is one JSON document (an object over several lines, such as a saved API answer) is one message.
    """
    try:
        with path.open("rb") as lines:
            first = lines.readline(MAX_LINE_BYTES + 1)
            lines.seek(0)
            if path.suffix != ".jsonl" and _is_whole_document(first):
                yield InputLine(1, None, {}, lines.read())
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    message = _message(path, number, line, rejected)
                    if message is not None:
                        yield message
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error


def _is_whole_document(first: bytes) -> bool:
    """Whether the first line does not stand for itself as JSON: then the file is one document."""
    try:
        json.loads(first)
    except ValueError:
        return True
    return False


def _message(path: Path, number: int, line: bytes, rejected: list[RejectedRow]) -> InputLine | None:
    if len(line) > MAX_LINE_BYTES:
        reason = f"the line has {len(line)} bytes, over {MAX_LINE_BYTES}; split it"
        rejected.append(RejectedRow(path.name, number, "body_too_large", reason))
        return None
    if not line.startswith(b'{"channel"'):
        return InputLine(number, None, {}, line.strip())
    try:
        envelope = json.loads(line)
        body, headers, channel = envelope["body"], envelope["headers"], envelope["channel"]
        good = isinstance(body, str) and isinstance(channel, str) and isinstance(headers, dict)
        if not good or not all(isinstance(text, str) for text in headers.values()) or len(envelope) != 3:
            raise ValueError("an envelope has a text channel, a map of text headers and a text body, and no more")
        return InputLine(number, channel, headers, body.encode())
    except (ValueError, KeyError, TypeError) as error:
        rejected.append(RejectedRow(path.name, number, "unreadable_body", f"the line is no envelope: {error}"))
        return None


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
