"""Contract suites: what every extension of this library must keep, as classes of tests to inherit from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from omo_core.channels.intents import Request, Response
from omo_core.channels.port import ChannelAdapter, EventKind
from omo_core.channels.reading import MAX_BODY_BYTES
from omo_core.model.errors import BodyTooLarge, ForgedSignature, InvalidInput, OmoError, StaleSignature
from omo_core.model.refusals import Refusal
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.spoiling import spoilt_bodies, spoilt_messages

if TYPE_CHECKING:
    from datetime import datetime

    from omo_core.model.orders import Order

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""


class ChannelAdapterContract:
    """What the rest of the library relies on in a channel adapter. The whole test of an adapter's author:

        class TestMyShop(ChannelAdapterContract):
            adapter = MyShopAdapter(MyShopConfig(secrets=("s",)))
            messages = (sign("orders/create", ORDER), sign("orders/cancelled", CANCELLED))

    `messages` are (headers, body) signed with the adapter's secret. At least one of them holds an order, unless
    `documents` holds the order documents that the channel lets us fetch.
    """

    adapter: ClassVar[ChannelAdapter]
    messages: ClassVar[tuple[Signed, ...]] = ()
    """None only where the channel sends nothing by itself (`capabilities.pushes`)."""
    documents: ClassVar[tuple[tuple[bytes, ...], ...]] = ()
    """Order documents as they are fetched; several bodies where the channel splits one order into several."""
    refunds: ClassVar[tuple[bytes, ...]] = ()
    """Refund documents, where the channel has such."""
    signed_at: ClassVar[datetime | None] = None
    """When the messages were signed, where the channel signs the time."""
    max_bytes: ClassVar[int] = MAX_BODY_BYTES
    """The adapter's size limit."""
    fuzzed: ClassVar[int] = 300
    """How many spoilt bodies `test_spoilt_bodies_are_read_or_refused` tries."""
    samples: ClassVar[Samples] = Samples()
    """Ids in the shape of the channel's own, for the requests of every intent."""

    def test_a_signed_message_is_accepted(self) -> None:
        """`verify` passes for every message, whatever the case of the header names."""
        for headers, body in self.messages:
            self.adapter.verify(headers, body)
            self.adapter.verify({name.upper(): value for name, value in headers.items()}, body)
            self.adapter.verify({name.lower(): value for name, value in headers.items()}, body)

    def test_a_changed_body_is_forged(self) -> None:
        """One changed, missing or added byte anywhere breaks the signature."""
        for headers, body in self.messages if self._signs_the_body() else ():
            for place in _places(len(body), 300):
                changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
                assert_raises(ForgedSignature, self.adapter.verify, headers, changed)
            for changed in (body[:-1], body + b"\n", b""):
                assert_raises(ForgedSignature, self.adapter.verify, headers, changed)

    def test_what_is_not_signed_tells_nothing(self) -> None:
        """A channel whose signature leaves out the body may only say what to fetch."""
        for headers, body in () if self._signs_the_body() else self.messages:
            event = self.adapter.parse_event(headers, body)
            held = (event.order, event.cancellation, event.refund, event.counter_sale)
            assert held == (None, None, None, None), "anybody could have written this body"

    def test_a_body_written_anew_is_forged(self) -> None:
        """The signature is over the bytes, not over what they mean."""
        for headers, body in self.messages if self._signs_the_body() else ():
            try:
                anew = json.dumps(json.loads(body), indent=3).encode()
            except ValueError:
                anew = body + b"&one=more"
            assert_raises(ForgedSignature, self.adapter.verify, headers, anew)

    def test_an_old_secret_still_verifies(self) -> None:
        """While a secret is changed both hold; once it is gone, what it signed is forged."""
        config: Any = self.adapter.config
        build: Any = type(self.adapter)
        for headers, body in self.messages:
            build(config.model_copy(update={"secrets": ("a new one", *config.secrets)})).verify(headers, body)
            for secrets in (("a new one",), ()):
                other = build(config.model_copy(update={"secrets": secrets}))
                assert_raises(ForgedSignature, other.verify, headers, body)

    def test_old_and_future_messages_are_stale(self) -> None:
        """Where the channel signs the time, a message of another day is refused, and one of now is not."""
        if not self.adapter.capabilities.signs_time:
            assert self.signed_at is None, "say in the capabilities that the channel signs the time"
            return
        assert self.signed_at is not None, "say when the messages were signed"
        for headers, body in self.messages:
            self.adapter.verify(headers, body, now=self.signed_at)
            for days in (-1, 1):
                now = self.signed_at + timedelta(days=days)
                assert_raises(StaleSignature, partial(self.adapter.verify, now=now), headers, body)

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
        """`parse_order` and `parse_event` read one document alike, and at least one message or document is an order."""
        orders = len(self.documents)
        for headers, body in self.messages:
            event = self.adapter.parse_event(headers, body)
            if event.order is not None and event.kind is EventKind.ORDER:
                assert self.adapter.parse_order(body) == event.order
                assert self.adapter.parse_orders(body) == (event.order,)
                orders += 1
        assert orders, "add a message with an order, or the document of one"

    def test_documents_are_read_alike_every_time(self) -> None:
        """An order document gives the same order again, with the hash of all its bytes."""
        for bodies in self.documents:
            order = self.adapter.parse_order(*bodies)
            assert order == self.adapter.parse_order(*bodies)
            assert order.body_sha256 == hashlib.sha256(b"".join(bodies)).hexdigest()
        for body in self.refunds:
            notice = self.adapter.parse_refund(body)
            assert notice == self.adapter.parse_refund(body)
            assert notice.channel == self.adapter.channel

    def test_the_money_adds_up(self) -> None:
        """The parts of every order's amounts make its total, to the unit."""
        for order in self._orders():
            if order.amounts is not None:
                assert order.amounts.imbalance_minor == 0, (
                    f"{order.external_id}: off by {order.amounts.imbalance_minor}"
                )

    def test_masked_addresses_say_so(self) -> None:
        """A receiver written with stars, or kept as a token, is marked as masked: nobody prints it on a label."""
        for order in self._orders():
            for delivery in order.deliveries:
                address = delivery.address
                if address is not None and (address.token or "*" in f"{address.recipient}{address.phone}"):
                    assert address.masked, f"{order.external_id}: the address is not marked as masked"

    def test_what_it_can_do_gives_requests_and_the_rest_is_refused(self) -> None:
        """Every intent of the capabilities becomes https requests; every other one is a refusal that says so."""
        for intent in self.samples.intents():
            made = self.adapter.requests(intent)
            if intent.kind not in self.adapter.capabilities.intents:
                assert isinstance(made, Refusal), f"{intent.kind} is not among the capabilities"
                assert made.code == "capability_missing"
                continue
            assert not isinstance(made, Refusal), f"{intent.kind} is refused: {made}"
            assert made, f"{intent.kind} gives no request"
            assert made == self.adapter.requests(intent), "the same intent gives the same requests"
            for request in made:
                assert request.url.startswith("https://"), request.url
                self._holds_no_secret(request)
                signed = self.adapter.sign(request, now=NOW, token="t0k3n")
                assert signed == self.adapter.sign(request, now=NOW, token="t0k3n")

    def test_an_answer_names_its_items(self) -> None:
        """A limit that was reached is worth another try, item by item; an answer that cannot be read says so."""
        for intent in self.samples.intents():
            made = self.adapter.requests(intent)
            for request in () if isinstance(made, Refusal) else made:
                busy = self.adapter.read_answer(intent, request, Response(status=429, body=b"slow down"))
                assert {item.item for item in busy.items} == set(request.items)
                assert all(item.retry and not item.ok for item in busy.items)
                for body in (b"", b"null", b"<html>", b"[1]", b'{"a":'):
                    assert_only_ours(self.adapter.read_answer, intent, request, Response(status=200, body=body))

    def test_a_body_over_the_limit_is_not_read(self) -> None:
        """One byte over the limit is refused as too large, before it is parsed."""
        body = b" " * (self.max_bytes + 1)
        for headers, _ in self.messages[:1]:
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

    def test_spoilt_bodies_are_read_or_refused(self) -> None:
        """Bodies with one value, byte or piece spoilt are read, or refused in a sentence; nothing else comes out."""
        for headers, body in spoilt_messages(self.messages, self.fuzzed):
            assert_only_ours(self.adapter.verify, headers, body)
            assert_refused_in_a_sentence(self.adapter.parse_event, headers, body)
        single = [bodies[0] for bodies in self.documents]
        for body in spoilt_bodies(single or [body for _, body in self.messages], self.fuzzed):
            assert_refused_in_a_sentence(self.adapter.parse_order, body)
        for body in spoilt_bodies(self.refunds, self.fuzzed):
            assert_refused_in_a_sentence(self.adapter.parse_refund, body)

    def _orders(self) -> Iterator[Order]:
        for headers, body in self.messages:
            event = self.adapter.parse_event(headers, body)
            yield from (one.order for one in (event, *event.events) if one.order is not None)
        for bodies in self.documents:
            yield self.adapter.parse_order(*bodies)

    def _signs_the_body(self) -> bool:
        return self.adapter.capabilities.signs is not None

    def _holds_no_secret(self, request: Request) -> None:
        config: Any = self.adapter.config
        text = repr(request)
        assert not any(secret in text for secret in config.secrets), "a request holds a secret; `sign` adds credentials"

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


def assert_refused_in_a_sentence(call: Callable[..., object], *arguments: object) -> None:
    """Let the call return, or refuse its input in a sentence that can be printed; any other error passes through."""
    try:
        call(*arguments)
    except InvalidInput as refusal:
        sentence = str(refusal)
        assert sentence.encode("utf-8"), "the sentence is empty"
        assert len(sentence) < 1_000, "the sentence is longer than anybody reads"


def _places(size: int, most: int) -> list[int]:
    """At most so many places from the first to the last byte, evenly spread."""
    step = max(1, -(-size // most))
    return list(range(0, size, step))
