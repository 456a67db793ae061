"""`omo normalise` and `omo route`: one document in, JSON out, and no database of the user's touched."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omo_core.cli.exits import OK, answering
from omo_core.cli.options import NETWORK_HELP, STOCK_HELP, ChannelsFile, Columns
from omo_core.cli.terminal import print_json, tell
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.model.fulfilment import FulfilmentOrder
    from omo_core.model.network import Network
    from omo_core.model.orders import Order
    from omo_core.model.refusals import Refusal


@answering
def normalise(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The channel's document; - reads standard input.")],
    channel: Annotated[
        str, typer.Option("--channel", metavar="NAME", help="An installed adapter, or a name of --channels.")
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="The message's headers: then it is read as an event."),
    ] = None,
    channels: ChannelsFile = None,
) -> int:
    """Print a channel's document as canonical orders, or as the event it is.

    With --header and --channels the signature is checked first.
    """
    from omo_core.batch.reading import read_document
    from omo_core.batch.session import read_channels
    from omo_core.channels.registry import adapter

    configured = read_channels(channels)
    reader = configured[channel] if channel in configured else adapter(channel)
    body = _read(file)
    headers = _headers(header or [])
    if headers:
        if channel in configured:
            reader.verify(headers, body)
        print_json(reader.parse_event(headers, body).model_dump(mode="json"))
        return OK
    found = [event.order or event for event in read_document(reader, body)]
    documents = [one.model_dump(mode="json") for one in found]
    print_json(documents[0] if len(documents) == 1 else {"orders": documents})
    return OK


@answering
def route(
    network: Annotated[Path, typer.Option("--network", metavar="FILE", help=NETWORK_HELP)],
    order: Annotated[str, typer.Option("--order", metavar="FILE", help="One order; - reads standard input.")],
    stock: Annotated[
        Path | None, typer.Option("--stock", metavar="FILE", help=f"{STOCK_HELP}  [default: everything everywhere]")
    ] = None,
    channel: Annotated[str, typer.Option("--channel", metavar="NAME", help="The order's dialect.")] = "native",
    column: Columns = None,
) -> int:
    """Print which nodes would serve an order, what that costs by term, and why; nothing is kept.

    The decision is made at the time the order was placed, in a pool that holds nothing but this order.
    """
    from omo_core.batch.files import RejectedRow, read_columns, read_stock
    from omo_core.channels.registry import adapter
    from omo_core.hub.desks import read_network_file

    known = read_network_file(network)
    wanted = adapter(channel).parse_order(_read(order))
    rejected: list[RejectedRow] = []
    assumptions = ["No other order holds goods or takes a node's capacity."]
    if stock is None:
        goods = _everything_everywhere(known, wanted)
        assumptions.append("Every node holds every item, because no stock file was given.")
    else:
        skus = {line.sku for line in wanted.fulfillable()}
        nodes = {node.node for node in known.nodes}
        rows = read_stock(stock, read_columns(column or []), rejected)
        goods = [(row.sku, row.node, row.quantity) for row in rows if row.sku in skus and row.node in nodes]
    for row in rejected:
        tell(f"{row.file} line {row.line} was not used: {row.reason}")
    print_json({**_decide(known, wanted, goods), "assumptions": assumptions})
    return OK


def _everything_everywhere(network: Network, order: Order) -> list[tuple[str, str, int]]:
    """Stock rows that let every node serve the whole order."""
    units: Counter[str] = Counter()
    for line in order.fulfillable():
        units[str(line.sku)] += line.current_quantity
    return [(sku, node.node, wanted) for sku, wanted in units.items() for node in network.nodes]


def _decide(network: Network, order: Order, goods: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """Place the order in a pool in memory, as `omo run` would, and read back what was decided."""
    from omo_core.batch.facts import read_orders
    from omo_core.hub import OrderHub
    from omo_core.model.stock import Demand, Receive
    from omo_core.storage.clock import ManualClock

    with OrderHub.open("sqlite:///:memory:", clock=ManualClock(order.placed_at)) as hub:
        hub.network.load(network)
        lines = tuple(Demand(sku=sku, node=node, quantity=quantity) for sku, node, quantity in goods)
        if lines:
            answer = hub.stock.apply(Receive(key="route", lines=lines))
            _refuse(answer.refusals)
        placed = hub.orders.place(order)
        _refuse(placed.refusals)
        facts = hub.run(read_orders, read_only=True)
    decisions = [one for fact in facts for one in fact.decisions]
    costs: Counter[str] = Counter()
    for one in decisions:
        costs.update(one["cost_by_term"])
    return {
        "channel": order.channel,
        "external_id": order.external_id,
        "state": placed.state.value if placed.state else None,
        "currency": network.currency,
        "cost_minor": sum(costs.values()),
        "cost_by_term": dict(costs),
        "fulfilment_orders": [_fulfilment(one) for one in placed.fulfilment_orders],
        "shortfalls": [one.model_dump(mode="json") for one in placed.shortfalls],
        "decisions": [{name: value for name, value in one.items() if name != "order"} for one in decisions],
    }


def _refuse(refusals: Sequence[Refusal]) -> None:
    if refusals:
        raise InvalidInput(refusals[0].sentence)


def _fulfilment(one: FulfilmentOrder) -> dict[str, Any]:
    """Without ids, which differ each time."""
    lines = [{"line": line.line, "sku": line.sku, "quantity": line.quantity} for line in one.lines]
    return {"node": one.node, "method": one.method.value, "lines": lines, "why": one.why}


def _read(file: str) -> bytes:
    """The document's bytes; - is standard input. Raises `InvalidInput`."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}; check the path") from error


def _headers(given: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for one in given:
        name, separator, value = one.partition(":")
        if not separator or not name.strip():
            raise InvalidInput(f"{one!r} is no header; write it as 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers
