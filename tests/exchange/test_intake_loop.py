"""Messages through the door: verified, remembered once, read, ignored or parked, never dropped."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.channels.registry import adapter
from omo_core.exchange import SignedMessage
from omo_core.hub import OrderHub
from omo_core.model.errors import BodyTooLarge, ForgedSignature, UnknownChannel
from omo_core.storage import inbox
from omo_core.storage.clock import ManualClock
from omo_core.testing.writers import write_native_order
from tests.orders.conftest import NETWORK, order

SECRET = "a shared secret"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    native = adapter("native", {"channel": "shop", "secrets": [SECRET], "max_bytes": 20_000})
    with OrderHub.open(shop_url, clock=ManualClock(NOON), channels={"shop": native}) as opened:
        opened.network.load(NETWORK)
        yield opened


def signed(body: bytes, event: str = "e-1") -> SignedMessage:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return SignedMessage({"X-Omo-Signature": f"sha256={signature}", "X-Omo-Event-Id": event}, body)


def document(**changes: Any) -> bytes:
    _, body = write_native_order(order("1", {"A": 2}), secret=SECRET)
    return json.dumps({**json.loads(body), **changes}).encode()


def parked(hub: OrderHub) -> list[inbox.Parked]:
    return hub.run(inbox.parked)


def test_a_signed_order_is_read_and_remembered(hub: OrderHub) -> None:
    message = signed(document())
    received = hub.channels["shop"].receive(message.headers, message.body)
    assert (received.state, received.duplicate) == ("read", False)
    assert received.order is not None
    assert received.order.external_id == "1"
    assert hub.run(lambda tx: inbox.body(tx, "shop", received.event_key)) == message.body


def test_the_same_message_again_is_a_duplicate_with_the_same_event(hub: OrderHub) -> None:
    message = signed(document())
    first, second = (hub.channels["shop"].receive(message.headers, message.body) for _ in range(2))
    assert second.duplicate
    assert second.event == first.event


def test_a_forged_message_is_refused_and_leaves_nothing_behind(hub: OrderHub) -> None:
    body = document()
    forged = SignedMessage({"X-Omo-Signature": "sha256=" + "0" * 64}, body)
    with pytest.raises(ForgedSignature):
        hub.channels["shop"].receive_many([signed(body), forged])
    assert parked(hub) == []
    assert not hub.channels["shop"].receive(*_parts(signed(body))).duplicate


def test_a_body_over_the_limit_is_refused_and_leaves_nothing_behind(hub: OrderHub) -> None:
    with pytest.raises(BodyTooLarge, match="20000"):
        hub.channels["shop"].receive(*_parts(signed(document(note="x" * 30_000))))
    assert parked(hub) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": []}, "unreadable_body"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "unreadable_body"),
        ({"lines": [{"sku": "A", "quantity": -1}]}, "unreadable_body"),
        ({"lines": [{"sku": "A", "quantity": 1.5}]}, "unreadable_body"),
        ({"lines": [{"sku": "A", "quantity": 10**12}]}, "unreadable_body"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": 19.99}]}, "invalid_money"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": "NaN"}]}, "invalid_money"),
        ({"currency": "GOLD"}, "invalid_money"),
        ({"surprise": 1}, "unreadable_body"),
    ],
)
def test_what_is_signed_but_unreadable_is_parked_with_its_bytes_and_reason(
    hub: OrderHub, changes: dict[str, Any], code: str
) -> None:
    body = document(**changes)
    received = hub.channels["shop"].receive(*_parts(signed(body)))
    assert (received.state, received.reason_code, received.order) == ("parked", code, None)
    (kept,) = parked(hub)
    assert (kept.reason_code, kept.reason) == (code, received.reason)
    assert hub.run(lambda tx: inbox.body(tx, kept.channel, kept.event_key)) == body
    assert hub.channels["shop"].receive(*_parts(signed(body))).duplicate


@pytest.mark.parametrize("body", [b'{"type":"order","type":"order"}', b'{"total":NaN}', b"\xff\xfe", b"", b"[" * 200])
def test_bytes_that_are_no_document_are_parked(hub: OrderHub, body: bytes) -> None:
    assert hub.channels["shop"].receive(*_parts(signed(body))).reason_code == "unreadable_body"
    assert len(parked(hub)) == 1


def test_one_event_key_with_two_bodies_keeps_both_and_acts_on_the_first(hub: OrderHub) -> None:
    first = hub.channels["shop"].receive(*_parts(signed(document())))
    second = hub.channels["shop"].receive(*_parts(signed(document(note="changed"))))
    assert (first.state, second.state, second.reason_code) == ("read", "parked", "duplicate_key_mismatch")
    (kept,) = parked(hub)
    assert b"changed" in hub.run(lambda tx: inbox.body(tx, kept.channel, kept.event_key))


def test_an_unknown_channel_names_those_there_are(hub: OrderHub) -> None:
    with pytest.raises(UnknownChannel, match="it has: shop"):
        hub.channels["bazaar"]


def _parts(message: SignedMessage) -> tuple[Any, bytes]:
    return message.headers, message.body
