"""Contract suites: what every extension of this library must keep, as classes of tests to inherit from."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from omo_core.channels.port import ChannelAdapter, EventKind
from omo_core.channels.reading import MAX_BODY_BYTES
from omo_core.model.errors import BodyTooLarge, ForgedSignature, InvalidInput, OmoError

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""


class ChannelAdapterContract:
    """What the rest of the library relies on in a channel adapter. The whole test of an adapter's author:

        class TestMyShop(ChannelAdapterContract):
            adapter = MyShopAdapter(MyShopConfig(secrets=("s",)))
            messages = (sign("orders/create", ORDER), sign("orders/cancelled", CANCELLED))

    `messages` are (headers, body) signed with the adapter's secret; at least one holds an order.
    """

    adapter: ClassVar[ChannelAdapter]
    messages: ClassVar[tuple[Signed, ...]]
    max_bytes: ClassVar[int] = MAX_BODY_BYTES
    """The adapter's size limit."""

    def test_a_signed_message_is_accepted(self) -> None:
        """`verify` passes for every message, whatever the case of the header names."""
        for headers, body in self.messages:
            self.adapter.verify(headers, body)
            self.adapter.verify({name.upper(): value for name, value in headers.items()}, body)
            self.adapter.verify({name.lower(): value for name, value in headers.items()}, body)

    def test_a_changed_body_is_forged(self) -> None:
        """One changed, missing or added byte anywhere breaks the signature."""
        for headers, body in self.messages:
            for place in _places(len(body), 300):
                changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
                assert_raises(ForgedSignature, self.adapter.verify, headers, changed)
            for changed in (body[:-1], body + b"\n", b""):
                assert_raises(ForgedSignature, self.adapter.verify, headers, changed)

    def test_a_body_written_anew_is_forged(self) -> None:
        """The signature is over the bytes, not over what they mean."""
        for headers, body in self.messages:
            anew = json.dumps(json.loads(body), indent=3).encode()
            assert_raises(ForgedSignature, self.adapter.verify, headers, anew)

    def test_a_wrong_or_missing_signature_is_forged(self) -> None:
        """No headers, empty ones, ones in other scripts, and ones longer or shorter by a character are refused."""
        for headers, body in self.messages:
            assert_raises(ForgedSignature, self.adapter.verify, {}, body)
            for spoilt in ("", "é☕\ud800{}", "{}=", "={}", "{}\n"):
                every = {name: spoilt.format(value) for name, value in headers.items()}
                assert_raises(ForgedSignature, self.adapter.verify, every, body)

    def test_reading_twice_gives_the_same_event(self) -> None:
        """A repeated delivery has the same key and the same content; deliveries differ in their keys."""
        events = [self.adapter.parse_event(headers, body) for headers, body in self.messages]
        assert events == [self.adapter.parse_event(headers, body) for headers, body in self.messages]
        keys = {event.event_key for event in events}
        assert len(keys) == len(set(self.messages_as_texts())), "different deliveries share an event key"

    def test_events_name_their_channel_and_subject(self) -> None:
        """What an event holds is about its subject, and came through this adapter."""
        for headers, body in self.messages:
            event = self.adapter.parse_event(headers, body)
            assert event.channel == self.adapter.channel
            if event.order is not None:
                assert event.subject == event.order.external_id
            if event.cancellation is not None:
                assert event.subject == event.cancellation.external_id

    def test_an_order_is_the_same_in_an_event_and_alone(self) -> None:
        """`parse_order` and `parse_event` read one document alike, and at least one message holds an order."""
        orders = 0
        for headers, body in self.messages:
            event = self.adapter.parse_event(headers, body)
            if event.order is not None and event.kind is EventKind.ORDER:
                assert self.adapter.parse_order(body) == event.order
                assert self.adapter.parse_orders(body) == (event.order,)
                orders += 1
        assert orders, "add a message with an order"

    def test_the_money_adds_up(self) -> None:
        """The parts of every order's amounts make its total, to the unit."""
        for headers, body in self.messages:
            order = self.adapter.parse_event(headers, body).order
            if order is not None and order.amounts is not None:
                assert order.amounts.imbalance_minor == 0, (
                    f"{order.external_id}: off by {order.amounts.imbalance_minor}"
                )

    def test_a_body_over_the_limit_is_not_read(self) -> None:
        """One byte over the limit is refused as too large, before it is parsed."""
        headers = self.messages[0][0]
        body = b" " * (self.max_bytes + 1)
        assert_raises(BodyTooLarge, self.adapter.parse_event, headers, body)
        assert_raises(BodyTooLarge, self.adapter.parse_order, body)

    def test_a_broken_body_is_refused_with_a_reason(self) -> None:
        """Cut, doubled, mis-encoded or foreign bodies raise this library's errors, and nothing else."""
        for headers, body in self.messages:
            broken = [body[:place] for place in _places(len(body), 50)]
            broken += [body + body, b"\xff" + body, b"[" * 100_000, b"{}", b"[1]", b"null", b"NaN", b'"\\ud800"']
            for bad in broken:
                assert_raises(InvalidInput, self.adapter.parse_order, bad)
                assert_only_ours(self.adapter.parse_event, headers, bad)

    def messages_as_texts(self) -> list[str]:
        """The messages in a form that can be compared and counted."""
        return [repr((sorted(headers.items()), body)) for headers, body in self.messages]


def assert_raises(kind: type[Exception], call: Callable[..., object], *arguments: object) -> None:
    """Fail unless the call raises this kind of error."""
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def assert_only_ours(call: Callable[..., object], *arguments: object) -> None:
    """Let the call return, or raise an error of this library; any other error passes through and fails the test."""
    with suppress(OmoError):
        call(*arguments)


def _places(size: int, most: int) -> list[int]:
    """At most so many places from the first to the last byte, evenly spread."""
    step = max(1, -(-size // most))
    return list(range(0, size, step))
