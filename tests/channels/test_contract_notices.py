"""The contract suite fails for adapters that break it, each in its own way."""

import json
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from omo_core.channels.intents import Answer, Capabilities, Intent, IntentKind, ItemAnswer, Request, Response, cannot
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import ChannelEvent, Headers
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, verify_hex
from omo_core.model.orders import Address, Delivery, Order
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import NOW
from omo_core.testing.writers import write_native_order
from tests.channels.orders import plain_order

CONFIG = NativeConfig(secrets=("s3cret",), endpoint="https://shop.example/omo")
ORDER = plain_order().model_copy(
    update={"deliveries": (Delivery(address=Address(recipient="A**", token="t0k", masked=True)),)}
)
MESSAGES = (
    write_native_order(ORDER, secret="s3cret", event_id="1"),
    write_native_order(ORDER, secret="s3cret", event_id="2"),
)


class VerifiesTheParsedBody(NativeAdapter):
    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        given = (header(headers, "X-Omo-Signature") or "").removeprefix("sha256=")
        try:
            plain = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
        except ValueError:
            plain = body
        verify_hex(("s3cret",), plain, given)


class ComparesText(NativeAdapter):
    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        given = header(headers, "X-Omo-Signature") or ""
        given.encode("ascii")
        super().verify(headers, body)


class KnowsNoCase(NativeAdapter):
    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        verify_hex(("s3cret",), body, headers.get("X-Omo-Signature", "").removeprefix("sha256="))


class AcceptsAnything(NativeAdapter):
    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
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
    def parse_order(self, body: bytes, *more: bytes) -> Order:
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
    def parse_order(self, body: bytes, *more: bytes) -> Order:
        document: Any = read_json(body)
        document["external_id"].strip()
        return super().parse_order(body)


class KnowsOneSecret(NativeAdapter):
    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        only = self.config.model_copy(update={"secrets": self.config.secrets[:1]})
        NativeAdapter(only).verify(headers, body, now=now)


class SignsNothingAndTellsAll(NativeAdapter):
    capabilities = Capabilities(signs=None)


class NeverAsksForTheTime(NativeAdapter):
    capabilities = Capabilities(signs="a time too", signs_time=True)


class MisquotesItsBytes(NativeAdapter):
    def parse_order(self, body: bytes, *more: bytes) -> Order:
        return super().parse_order(body, *more).model_copy(update={"body_sha256": "0" * 64})


class Unmasks(NativeAdapter):
    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        event = super().parse_event(headers, body)
        assert event.order is not None
        delivery = event.order.deliveries[0]
        assert delivery.address is not None
        bare = delivery.model_copy(update={"address": delivery.address.model_copy(update={"masked": False})})
        return event.model_copy(update={"order": event.order.model_copy(update={"deliveries": (bare,)})})


class PromisesTooMuch(NativeAdapter):
    def make(self, intent: Intent) -> Refusal:
        return cannot(self.channel, intent.kind, "nobody wrote it")


class Publishes(NativeAdapter):
    """Sound: what the next one breaks."""

    capabilities = Capabilities(
        signs="HMAC", intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.ACKNOWLEDGE, IntentKind.CANCEL})
    )

    def make(self, intent: Intent) -> tuple[Request, ...]:
        return (Request(url="https://shop.example/orders", items=("1",)),)


class TakesEveryAnswerForYes(Publishes):
    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        return Answer(items=tuple(ItemAnswer(item=item, ok=True) for item in request.items))


class TellsItsSecret(Publishes):
    def make(self, intent: Intent) -> tuple[Request, ...]:
        return (Request(url="https://shop.example/orders", headers=(("X-Key", self.config.secrets[0]),), items=("1",)),)


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
    (Crashes, Suite.test_spoilt_bodies_are_read_or_refused),
    (KnowsOneSecret, Suite.test_an_old_secret_still_verifies),
    (SignsNothingAndTellsAll, Suite.test_what_is_not_signed_tells_nothing),
    (NeverAsksForTheTime, Suite.test_old_and_future_messages_are_stale),
    (MisquotesItsBytes, Suite.test_documents_are_read_alike_every_time),
    (Unmasks, Suite.test_masked_addresses_say_so),
    (PromisesTooMuch, Suite.test_what_it_can_do_gives_requests_and_the_rest_is_refused),
    (TellsItsSecret, Suite.test_what_it_can_do_gives_requests_and_the_rest_is_refused),
    (TakesEveryAnswerForYes, Suite.test_an_answer_names_its_items),
]


def suite_for(broken: type[NativeAdapter]) -> Suite:
    class Its(ChannelAdapterContract):
        adapter = broken(CONFIG)
        messages = MESSAGES
        documents = ((MESSAGES[0][1],),)
        signed_at = NOW if broken.capabilities.signs_time else None

    return Its()


@pytest.mark.parametrize(("broken", "check"), BROKEN)
def test_a_broken_adapter_fails(broken: type[NativeAdapter], check: Callable[[Suite], None]) -> None:
    check(suite_for(Publishes if issubclass(broken, Publishes) else NativeAdapter))
    with pytest.raises(Exception, match=r".*"):
        check(suite_for(broken))


def test_the_suite_has_no_check_that_nothing_can_fail() -> None:
    names = {name for name in vars(Suite) if name.startswith("test_")}
    assert {check.__name__ for _, check in BROKEN} == names
