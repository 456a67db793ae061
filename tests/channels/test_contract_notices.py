"""The contract suite fails for adapters that break it, each in its own way."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import ChannelEvent, Headers
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, verify_hex
from omo_core.model.orders import Order
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.writers import write_native_order
from tests.channels.orders import plain_order

CONFIG = NativeConfig(secrets=("s",))
ORDER = plain_order()
MESSAGES = (write_native_order(ORDER, secret="s", event_id="1"), write_native_order(ORDER, secret="s", event_id="2"))


class VerifiesTheParsedBody(NativeAdapter):
    def verify(self, headers: Headers, body: bytes) -> None:
        given = (header(headers, "X-Omo-Signature") or "").removeprefix("sha256=")
        try:
            plain = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
        except ValueError:
            plain = body
        verify_hex(("s",), plain, given)


class ComparesText(NativeAdapter):
    def verify(self, headers: Headers, body: bytes) -> None:
        given = header(headers, "X-Omo-Signature") or ""
        given.encode("ascii")
        super().verify(headers, body)


class KnowsNoCase(NativeAdapter):
    def verify(self, headers: Headers, body: bytes) -> None:
        verify_hex(("s",), body, headers.get("X-Omo-Signature", "").removeprefix("sha256="))


class AcceptsAnything(NativeAdapter):
    def verify(self, headers: Headers, body: bytes) -> None:
        return


class DrawsItsKeys(NativeAdapter):
    keys = count()

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        return super().parse_event(headers, body).model_copy(update={"event_key": str(next(self.keys))})


class HasOneKey(NativeAdapter):
    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        return super().parse_event(headers, body).model_copy(update={"event_key": "always"})


class LosesTheSubject(NativeAdapter):
    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        return super().parse_event(headers, body).model_copy(update={"subject": None})


class ReadsOrdersOtherwise(NativeAdapter):
    def parse_order(self, body: bytes) -> Order:
        return super().parse_order(body).model_copy(update={"note": "seen"})


class LosesACent(NativeAdapter):
    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        event = super().parse_event(headers, body)
        assert event.order is not None
        assert event.order.amounts is not None
        amounts = event.order.amounts.model_copy(update={"total_minor": event.order.amounts.total_minor - 1})
        return event.model_copy(update={"order": event.order.model_copy(update={"amounts": amounts})})


class ReadsWithoutBounds(NativeAdapter):
    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        return super().parse_event(headers, body.strip())


class Crashes(NativeAdapter):
    def parse_order(self, body: bytes) -> Order:
        document: Any = read_json(body)
        document["external_id"].strip()
        return super().parse_order(body)


Suite = ChannelAdapterContract
BROKEN: list[tuple[type[NativeAdapter], Callable[[Suite], None]]] = [
    (VerifiesTheParsedBody, Suite.test_a_body_written_anew_is_forged),
    (ComparesText, Suite.test_a_wrong_or_missing_signature_is_forged),
    (KnowsNoCase, Suite.test_a_signed_message_is_accepted),
    (AcceptsAnything, Suite.test_a_changed_body_is_forged),
    (AcceptsAnything, Suite.test_a_wrong_or_missing_signature_is_forged),
    (DrawsItsKeys, Suite.test_reading_twice_gives_the_same_event),
    (HasOneKey, Suite.test_reading_twice_gives_the_same_event),
    (LosesTheSubject, Suite.test_events_name_their_channel_and_subject),
    (ReadsOrdersOtherwise, Suite.test_an_order_is_the_same_in_an_event_and_alone),
    (LosesACent, Suite.test_the_money_adds_up),
    (ReadsWithoutBounds, Suite.test_a_body_over_the_limit_is_not_read),
    (Crashes, Suite.test_a_broken_body_is_refused_with_a_reason),
]


def suite_for(broken: type[NativeAdapter]) -> Suite:
    class Its(ChannelAdapterContract):
        adapter = broken(CONFIG)
        messages = MESSAGES

    return Its()


@pytest.mark.parametrize(("broken", "check"), BROKEN)
def test_a_broken_adapter_fails(broken: type[NativeAdapter], check: Callable[[Suite], None]) -> None:
    check(suite_for(NativeAdapter))
    with pytest.raises(Exception, match=r".*"):
        check(suite_for(broken))


def test_the_suite_has_no_check_that_nothing_can_fail() -> None:
    names = {name for name in vars(Suite) if name.startswith("test_")}
    assert {check.__name__ for _, check in BROKEN} == names
