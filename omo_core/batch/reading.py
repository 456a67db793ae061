"""Reads an orders file into messages: signed envelopes through their channel's door, documents by their dialect."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from omo_core.batch.files import (
    ORDER_NEEDED,
    ORDER_OPTIONAL,
    CsvRow,
    InputLine,
    RejectedRow,
    read_csv,
    read_messages,
)
from omo_core.channels.csv_orders import Row, read_rows
from omo_core.channels.native import NativeAdapter
from omo_core.channels.port import ChannelAdapter, ChannelEvent, EventKind
from omo_core.exchange import ReadMessage, Received, SignedMessage
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput, OmoError
from omo_core.model.orders import Order

_LIST_OF_ORDERS: Final = re.compile(rb'\s*(\[|\{\s*"orders"\s*:)')


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that happened, where it stood in the file, and when."""

    line: int
    at: datetime
    event: ChannelEvent


@dataclass(slots=True)
class ReadLines:
    """What lines of the file say, before the signed ones among them are remembered."""

    lines: int
    unsigned: list[tuple[InputLine, ChannelEvent]] = field(default_factory=list)
    signed: list[tuple[InputLine, ReadMessage]] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CsvRules:
    """How a CSV of orders is read."""

    columns: Mapping[str, str]
    currency: str
    """Of orders that name none."""

    @property
    def columns_of_orders(self) -> dict[str, str]:
        """Our names to the titles of an orders file."""
        shared = {name: title for name, title in self.columns.items() if "." not in name}
        own = {
            name.removeprefix("orders."): title for name, title in self.columns.items() if name.startswith("orders.")
        }
        return shared | own


class Reader:
    """Turns lines of the orders file into messages; what cannot be read goes to `rejected` with its line."""

    def __init__(
        self,
        hub: OrderHub,
        path: Path,
        dialect: ChannelAdapter,
        rejected: list[RejectedRow],
        rules: CsvRules,
    ) -> None:
        self._hub = hub
        self._path = path
        self._dialect = dialect
        self._rejected = rejected
        self._rules = rules

    def lines(self) -> Iterator[InputLine]:
        """The file's messages, unread, in the order they stand."""
        if self._path.suffix.lower() == ".csv":
            return self._csv_orders()
        return read_messages(self._path)

    def count(self) -> int:
        """About how many messages there are, for progress only."""
        try:
            with self._path.open("rb") as lines:
                return max(1, sum(1 for line in lines if line.strip()))
        except OSError as error:
            raise InvalidInput(f"cannot read {self._path}: {error.strerror}; check the path") from error

    def first_instant(self) -> datetime | None:
        """When the first message that can be read happened; None where none can. Nothing is remembered."""
        for line in self.lines():
            if line.fault is not None:
                continue
            try:
                if line.rows:
                    found = self._of_rows(line.rows)
                    if isinstance(found, ChannelEvent):
                        return self._message(line, found).at
                    continue
                if line.channel is None:
                    return min(self._message(line, event).at for event in read_document(self._dialect, line.body))
                adapter = self._hub.channels[line.channel].adapter
                event = adapter.parse_event(line.headers, line.body)
                if event.fetch and line.documents:
                    event = adapter.parse_fetched(event, *line.documents)
                return min(self._message(line, one).at for one in event.events or (event,))
            except (OmoError, ValueError):
                continue
        return None

    def read(self, lines: Sequence[InputLine]) -> ReadLines:
        """What these lines say, without a look at the database: signed ones await `exchange.remember`."""
        read = ReadLines(len(lines))
        for line in lines:
            try:
                if line.fault is not None:
                    read.rejected.append(RejectedRow(self._path.name, line.line, *line.fault))
                elif line.rows:
                    of_rows = self._of_rows(line.rows)
                    if isinstance(of_rows, ChannelEvent):
                        read.unsigned.append((line, of_rows))
                    else:
                        read.rejected += of_rows
                elif line.channel is None:
                    read.unsigned += ((line, event) for event in read_document(self._dialect, line.body))
                else:
                    desk = self._hub.channels[line.channel]
                    found = desk.read_many([SignedMessage(line.headers, line.body)])
                    read.signed += ((line, _with_documents(desk.adapter, line, one)) for one in found)
            except OmoError as error:
                read.rejected.append(RejectedRow(self._path.name, line.line, error.code, str(error)))
        return read

    def messages(self, read: ReadLines, remembered: Sequence[Received | InvalidInput]) -> list[Message]:
        """The messages of lines that were read, in the order of the lines, once the signed ones are remembered."""
        self._rejected += read.rejected
        found = [self._message(line, event) for line, event in read.unsigned]
        for (line, _), one in zip(read.signed, remembered, strict=True):
            if isinstance(one, InvalidInput):
                self._reject(line, one.code, str(one))
            elif one.event is None:
                self._reject(line, one.reason_code or "parked", one.reason or "the message was parked")
            else:
                found += [self._message(line, event) for event in one.event.events or (one.event,)]
        return sorted(found, key=lambda one: one.line)

    def _message(self, line: InputLine, event: ChannelEvent) -> Message:
        at = self._hub.database.clock.now()
        if event.order is not None:
            at = event.order.placed_at
        elif event.counter_sale is not None:
            at = event.counter_sale.sold_at
        elif event.cancellation is not None:
            at = event.cancellation.cancelled_at
        return Message(line.line, at, event)

    def _reject(self, line: InputLine, code: str, reason: str) -> None:
        self._rejected.append(RejectedRow(self._path.name, line.line, code, reason))

    def _csv_orders(self) -> Iterator[InputLine]:
        """Rows of one order stand together, at its first row's line."""
        order: list[CsvRow] = []
        for row in read_csv(self._path, "orders", ORDER_NEEDED, self._rules.columns, ORDER_OPTIONAL):
            if order and row.text("external_id") != order[0].text("external_id"):
                yield InputLine(order[0].line, rows=tuple(order))
                order = []
            order.append(row)
        if order:
            yield InputLine(order[0].line, rows=tuple(order))

    def _of_rows(self, rows: Sequence[CsvRow]) -> ChannelEvent | list[RejectedRow]:
        """The order that rows of a table make, or each row that cannot be used: none of its order is then."""
        spoilt = [row for row in rows if row.fault]
        if spoilt:
            reasons = [(row.line, f"{row.fault}; its order was not used") for row in spoilt]
            return [RejectedRow(self._path.name, line, "unreadable_row", reason) for line, reason in reasons]
        sha256 = hashlib.sha256(json.dumps([row.cells for row in rows]).encode()).hexdigest()
        order = read_rows(
            [Row(row.line, row.cells) for row in rows],
            channel="csv",
            currency=self._rules.currency,
            sha256=sha256,
            titles=self._rules.columns_of_orders,
        )
        if not isinstance(order, Order):
            return [RejectedRow(self._path.name, one.line, one.error.code, str(one.error)) for one in order]
        return ChannelEvent(
            channel=order.channel,
            event_key=f"sha256:{sha256}",
            topic="order",
            kind=EventKind.ORDER,
            subject=order.external_id,
            order=order,
        )


def read_document(dialect: ChannelAdapter, body: bytes) -> list[ChannelEvent]:
    """What an unsigned document from our own disk holds; raises as the adapter's `parse_orders` does.

    A native document says itself what it is. Every other one holds an order or several.
    """
    if isinstance(dialect, NativeAdapter) and not _LIST_OF_ORDERS.match(body):
        return [dialect.parse_event({}, body)]
    return [
        ChannelEvent(
            channel=order.channel,
            event_key=f"file/{order.external_id}/{order.source_version}",
            topic="file",
            kind=EventKind.ORDER,
            subject=order.external_id,
            order=order,
        )
        for order in dialect.parse_orders(body)
    ]


def _with_documents(adapter: ChannelAdapter, line: InputLine, read: ReadMessage) -> ReadMessage:
    """What the message says once the documents beside it answer what it asks for; parked where they cannot be read."""
    received = read.received
    if received.event is None or not received.event.fetch or not line.documents:
        return read
    try:
        event = adapter.parse_fetched(received.event, *line.documents)
    except InvalidInput as error:
        parked = replace(received, state="parked", event=None, reason_code=error.code, reason=str(error))
        return replace(read, received=parked)
    return replace(read, received=replace(received, event=event))
