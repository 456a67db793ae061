"""Persons are in order documents and received bodies alone: not in the pool's tables, its facts, its answers or the log."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
from sqlalchemy import Connection

from omo_core.channels.registry import adapter
from omo_core.exchange import SignedMessage
from omo_core.hub import OrderHub
from omo_core.model.orders import Address, Delivery, Order
from omo_core.model.stock import HoldRequest
from omo_core.model.values import GeoPoint
from omo_core.storage import roles, tables
from omo_core.storage.clock import ManualClock
from omo_core.testing.writers import write_native_order
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order, stock

SECRET: Final = "a shared secret"

MARKERS: Final = {
    "recipient": "Zebulon Markerson",
    "phone": "+1-555-0199-7431",
    "street": "77 Markerfield Lane",
    "city": "Markerville",
    "region": "Markershire",
    "postal_code": "ZX9-MARK",
    "token": "token-of-marker-41",
    "note": "Ring at Markerson twice",
    "title": "Mug engraved Zebulon",
    "reason": "Zebulon changed his mind",
    "latitude": "25.031234567",
}
"""What only a person could be known by; each is found in no other data of these tests."""

BODY_AND_DOCUMENT: Final = {(column.table.name, column.name) for column in roles.PERSONAL}


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    native = adapter("native", {"channel": "shop", "secrets": [SECRET]})
    with OrderHub.open(shop_url, clock=ManualClock(NOON), channels={"shop": native}) as opened:
        opened.network.load(NETWORK)
        yield opened


def personal_order(number: str, units: int, *, version: int = 1, **changes: Any) -> Order:
    address = Address(
        recipient=MARKERS["recipient"],
        phone=MARKERS["phone"],
        street=(MARKERS["street"],),
        city=MARKERS["city"],
        region=MARKERS["region"],
        postal_code=MARKERS["postal_code"],
        country="TW",
        token=MARKERS["token"],
        point=GeoPoint(latitude=float(MARKERS["latitude"]), longitude=121.561),
    )
    made = order(number, {"A": units}, delivery=Delivery(address=address), source_version=version)
    lines = tuple(line.model_copy(update={"title": MARKERS["title"]}) for line in made.lines)
    return made.model_copy(update={"lines": lines, "note": MARKERS["note"], **changes})


def receive(hub: OrderHub, body: bytes, event: str) -> Order | None:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Omo-Signature": f"sha256={signature}", "X-Omo-Event-Id": event}
    return hub.channels["shop"].receive_many([SignedMessage(headers, body)])[0].order


def live_a_day(hub: OrderHub) -> None:
    """Orders come as bytes, are sourced, shipped, rejected, displaced, changed, cancelled, not served, and not read."""
    stock(hub, {("A", NEAR): 4, ("A", CLOSE): 4, ("A", FAR): 4})
    for number, units in (("shipped", 2), ("rejected", 2), ("changed", 1), ("cancelled", 1), ("too large", 90)):
        _, body = write_native_order(personal_order(number, units), secret=SECRET)
        read = receive(hub, body, number)
        assert read is not None
        assert MARKERS["recipient"] in read.model_dump_json()
        hub.orders.place(read)
    _, body = write_native_order(personal_order("parked", 1), secret=SECRET)
    assert receive(hub, json.dumps({**json.loads(body), "lines": MARKERS["title"]}).encode(), "parked") is None
    shipped, rejected = (hub.orders.find("shop", name) for name in ("shipped", "rejected"))
    assert shipped is not None
    assert rejected is not None
    for one in shipped.fulfilment_orders:
        hub.fulfilment.accept(one.fulfilment, key=f"a{one.fulfilment}")
        hub.fulfilment.ship(one.fulfilment, key=f"s{one.fulfilment}", tracking="1Z999")
    hub.fulfilment.reject(rejected.fulfilment_orders[0].fulfilment, reason="damaged", key="no")
    hub.orders.place(personal_order("changed", 2, version=2))
    hub.orders.cancel("shop", "cancelled")
    hub.orders.place(personal_order("changed", 2, version=3, cancelled_at=NOON, cancel_reason=MARKERS["reason"]))
    lines = [HoldRequest(owner="basket-1", line="1", sku="A", node=FAR, quantity=1)]
    hub.stock.hold(lines, key="basket", expires_at=NOON)
    hub.stock.expire()
    for node in (NEAR, CLOSE, FAR):
        assert hub.stock.counter_sale(node=node, sku="A", quantity=5, key=f"till-{node}").applied
    assert hub.audit().clean


def found_in(connection: Connection) -> dict[tuple[str, str], set[str]]:
    """By table and column, the names of the markers that stand in it."""
    found: dict[tuple[str, str], set[str]] = {}
    for table in tables.metadata.sorted_tables:
        for row in connection.execute(table.select()).mappings():
            for column, value in row.items():
                text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                seen = {name for name, marker in MARKERS.items() if marker in text}
                if seen:
                    found.setdefault((table.name, column), set()).update(seen)
    return found


def test_persons_are_in_documents_and_bodies_alone(hub: OrderHub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.WARNING, logger="sqlalchemy"):
        live_a_day(hub)
    with hub.database.connection(read_only=True) as connection:
        found = found_in(connection)
        rows = {
            table.name: connection.execute(table.select()).all()
            for table in (tables.posting, tables.hold, tables.operation, tables.outbox, tables.count_task)
        }
    assert all(rows.values()), "the day must fill every table that is looked at"
    # What a marker is not found in proves nothing unless it is found where it belongs.
    assert set(MARKERS) - {"title", "reason"} <= found["omo_order", "document"]
    assert {"recipient", "phone", "street"} <= found["omo_inbox", "body"]
    assert found.keys() == BODY_AND_DOCUMENT
    assert not [marker for marker in MARKERS.values() if marker in caplog.text]


def test_erasing_persons_leaves_every_invariant_true(hub: OrderHub) -> None:
    live_a_day(hub)
    with hub.database.connection() as connection:
        connection.exec_driver_sql('UPDATE "omo_order" SET document = NULL')
        connection.execute(tables.inbox.update().values(body=b""))
        assert found_in(connection) == {}
    assert hub.audit().clean
    found = hub.orders.find("shop", "shipped")
    assert found is not None
    assert [one.state.value for one in found.fulfilment_orders] == ["shipped"]
