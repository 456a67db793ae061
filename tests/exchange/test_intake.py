"""Messages acted on once, orders fetched, changes pulled, parked messages replayed: nothing lost, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, ClassVar

import pytest

from omo_core.channels.cursor import microseconds
from omo_core.channels.dialect import sha256_of
from omo_core.channels.intents import (
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    Reference,
    Request,
)
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import (
    Cancellation,
    ChannelEvent,
    EventKind,
    Headers,
    RefundNotice,
    Reply,
    SoldLine,
    TillSale,
)
from omo_core.exchange import Intake, Reconciliation, Taken, fetch_due, replay
from omo_core.hub import OrderHub
from omo_core.model.errors import ChannelUnavailable, ForgedSignature
from omo_core.model.fulfilment import OrderState
from omo_core.model.orders import Order, OrderStatus, Refund, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.storage import inbox, outbox
from omo_core.storage.clock import ManualClock
from omo_core.testing.writers import write_native_cancellation, write_native_counter_sale, write_native_order
from tests.orders.conftest import NETWORK, order

SECRET = "a shared secret"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Shop(NativeAdapter):
    """Native documents; besides, messages that only name an order, several at once, refunds, and a list of changes."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES}), signs="HMAC", list_window_s=3_600
    )
    reply: ClassVar[Reply] = Reply(body=b"success")

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        document = json.loads(body)
        if "names" in document:
            return self._naming(document["names"], document["names"])
        if "all" in document:
            parts = tuple(self._naming(f"all/{one}", one) for one in document["all"])
            return self.event("all", f"all/{sha256_of(body)}", EventKind.SEVERAL, events=parts)
        if "refund" in document:
            refund = Refund(
                refund="R", created_at=NOON, refunded_to_buyer_minor=100, status=RefundStatus(document["refund"])
            )
            notice = RefundNotice(channel=self.channel, external_id="1", refund=refund, updated_at=NOON)
            fetch = (Request(url="https://shop.example/1"),) if document.get("fetch") else ()
            return self.event("refund", sha256_of(body), EventKind.REFUND, subject="1", refund=notice, fetch=fetch)
        if "asks" in document:
            wish = Cancellation(
                channel=self.channel, external_id="1", source_version=1, cancelled_at=NOON, requested=True
            )
            return self.event("asks", sha256_of(body), EventKind.CANCELLATION, subject="1", cancellation=wish)
        return super().parse_event(headers, body)

    def _naming(self, key: str, external_id: str) -> ChannelEvent:
        fetch = (Request(url=f"https://shop.example/{external_id}"),)
        return self.event("named", f"named/{key}", EventKind.ORDER, subject=external_id, fetch=fetch)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        if isinstance(intent, FetchOrder):
            return (Request(url=f"https://shop.example/{intent.external_id}"),)
        assert isinstance(intent, ListChanges)
        return (Request(url=f"https://shop.example/list/{intent.since.isoformat()}/{intent.cursor or 0}"),)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        document = json.loads(body)
        references = tuple(Reference(external_id=one, updated_at=NOON) for one in document.get("names", ()))
        orders = self.parse_orders(json.dumps(document.get("orders", [])).encode())
        more = document.get("next")
        return Page(
            orders=orders,
            references=references,
            unreadable=tuple(tuple(one) for one in document.get("bad", ())),
            following=intent.model_copy(update={"cursor": more}) if more else None,
        )


class Web:
    """What the shop would answer, by the end of the address; what is not there is unavailable."""

    def __init__(self, answers: dict[str, bytes] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def fetch(self, requests: Iterable[Request]) -> tuple[bytes, ...]:
        bodies = []
        for request in requests:
            self.asked.append(request.url.removeprefix("https://shop.example/"))
            if self.asked[-1] not in self.answers:
                raise ChannelUnavailable("the shop answered 404; ask again later")
            bodies.append(self.answers[self.asked[-1]])
        return tuple(bodies)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def hub(shop_url: str, clock: ManualClock) -> Iterator[OrderHub]:
    shop = Shop(NativeConfig(channel="shop", secrets=(SECRET,)))
    with OrderHub.open(shop_url, clock=clock, channels={"shop": shop}) as opened:
        opened.network.load(NETWORK)
        opened.stock.receive(node="NEAR", sku="A", quantity=50, key="in")
        yield opened


def of_shop(**changes: Any) -> Order:
    found = order("1", {"A": 2}).model_copy(update={"channel": "shop", **changes})
    return Order.model_validate(found.model_dump())


def bytes_of(found: Order) -> bytes:
    return write_native_order(found, secret=SECRET)[1]


def take(hub: OrderHub, document: dict[str, Any] | bytes, event: str | None = None) -> Taken:
    from omo_core.channels.signing import sign_hex

    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"X-Omo-Signature": "sha256=" + sign_hex(SECRET, body)}
    return hub.channels["shop"].take(headers | ({"X-Omo-Event-Id": event} if event else {}), body)


def facts(hub: OrderHub, prefix: str) -> list[str]:
    return [fact.type for fact in hub.run(lambda tx: outbox.read(tx, 1_000)) if fact.type.startswith(prefix)]


def test_an_order_is_placed_once_and_the_channel_is_answered(hub: OrderHub) -> None:
    first = take(hub, bytes_of(of_shop()), "e1")
    assert (first.state, first.duplicate, first.reply.body) == ("read", False, b"success")
    assert first.placed is not None
    assert first.placed.state is OrderState.IN_FULFILMENT
    again = take(hub, bytes_of(of_shop()), "e1")
    assert (again.state, again.duplicate, again.placed) == ("read", True, None)
    assert len(hub.orders.page()) == 1


def test_sales_and_cancellations_are_carried_out(hub: OrderHub) -> None:
    take(hub, bytes_of(of_shop()))
    cancellation = Cancellation(channel="shop", external_id="1", source_version=9, cancelled_at=NOON)
    gone = take(hub, write_native_cancellation(cancellation, secret=SECRET)[1])
    assert gone.placed is not None
    assert gone.placed.state is OrderState.CANCELLED
    sale = TillSale(channel="shop", external_id="T", node="NEAR", sold_at=NOON, lines=(SoldLine(sku="A", quantity=3),))
    assert take(hub, write_native_counter_sale(sale, secret=SECRET)[1]).state == "read"
    assert hub.stock.available("A", node="NEAR") == 47


def test_a_wish_to_cancel_and_a_refund_are_told_and_cancel_nothing(hub: OrderHub) -> None:
    placed = take(hub, bytes_of(of_shop())).placed
    assert take(hub, {"asks": 1}).state == "read"
    assert take(hub, {"refund": "requested"}).state == "read"
    assert take(hub, {"refund": "requested"}).duplicate
    assert facts(hub, "omo.channel.") == ["omo.channel.cancellation.requested.v1", "omo.channel.refund.requested.v1"]
    stands = hub.orders.find("shop", "1")
    assert stands is not None
    assert placed is not None
    assert stands.state is placed.state


def test_a_refund_is_told_and_its_order_fetched(hub: OrderHub) -> None:
    """Two refunds in a moment are two facts, and one request."""
    take(hub, bytes_of(of_shop()))
    for stage in ("agreed", "done"):
        assert take(hub, {"refund": stage, "fetch": True}).state == "read"
        assert take(hub, {"refund": stage, "fetch": True}).duplicate
    assert facts(hub, "omo.channel.") == ["omo.channel.refund.agreed.v1", "omo.channel.refund.done.v1"]
    (line,) = of_shop().lines
    left = line.model_copy(update={"current_quantity": 1})
    web = Web({"1": bytes_of(of_shop(source_version=of_shop().source_version + 1, lines=(left,)))})
    assert hub.channels["shop"].fetch_due(web).placed == 1
    assert web.asked == ["1"]
    assert hub.stock.available("A", node="NEAR") == 49


def test_a_forged_message_leaves_nothing_behind(hub: OrderHub) -> None:
    with pytest.raises(ForgedSignature):
        hub.channels["shop"].take({"X-Omo-Signature": "sha256=" + "0" * 64}, bytes_of(of_shop()))
    assert hub.orders.page() == []
    assert hub.channels.health()[0].parked == 0


def test_what_cannot_be_used_is_parked_and_replayed_after_the_fix(hub: OrderHub) -> None:
    body = bytes_of(order("1", {"NEW": 1}).model_copy(update={"channel": "shop"}))
    parked = take(hub, body, "e1")
    assert (parked.state, parked.reason_code, parked.reply.body) == ("parked", "unknown_sku", b"success")
    assert hub.orders.page() == []
    (still,) = hub.channels["shop"].replay()
    assert (still.state, still.reason_code) == ("parked", "unknown_sku")
    assert [one.event_key for one in hub.channels["shop"].parked()] == ["e1"]
    items = [*NETWORK.items, NETWORK.items[0].model_copy(update={"sku": "NEW", "gtin": None})]
    hub.network.load(NETWORK.model_copy(update={"items": tuple(items)}))
    (done,) = hub.channels["shop"].replay()
    assert (done.state, done.placed is not None) == ("read", True)
    assert hub.channels["shop"].parked() == []
    assert take(hub, body, "e1").duplicate
    assert len(hub.orders.page()) == 1


def test_a_named_order_is_fetched_once_it_can_be(hub: OrderHub, clock: ManualClock) -> None:
    assert take(hub, {"names": "1"}).state == "waiting"
    desk, web = hub.channels["shop"], Web()
    assert desk.fetch_due(web).postponed == 1
    assert desk.fetch_due(web).postponed == 0, "it is not due again at once"
    (health,) = hub.channels.health()
    assert (health.waiting, health.oldest_at) == (1, NOON)
    clock.advance(timedelta(minutes=1))
    web.answers["1"] = bytes_of(of_shop())
    assert desk.fetch_due(web).placed == 1
    assert hub.orders.find("shop", "1") is not None
    assert hub.channels.health()[0].waiting == 0
    assert hub.run(lambda tx: inbox.body(tx, "shop", _document_key(tx))) == web.answers["1"]
    assert take(hub, {"names": "1"}).duplicate


def _document_key(tx: Any) -> str:
    rows = tx.connection.exec_driver_sql("SELECT event_key FROM omo_inbox WHERE topic = 'document'").all()
    (row,) = rows
    return str(row[0])


def test_many_messages_of_one_order_fetch_it_once(hub: OrderHub) -> None:
    taken = take(hub, {"all": ["1", "2", "1b"]})
    assert [part.state for part in taken.parts] == ["waiting"] * 3
    take(hub, {"names": "1"})
    web = Web({"1": bytes_of(of_shop()), "2": bytes_of(of_shop(external_id="2"))})
    fetched = hub.channels["shop"].fetch_due(web)
    assert (fetched.placed, fetched.postponed) == (2, 1)
    assert sorted(web.asked) == ["1", "1b", "2"]
    assert take(hub, {"all": ["1", "2", "1b"]}).duplicate


def test_a_part_that_comes_again_among_others_is_the_same_part(hub: OrderHub) -> None:
    take(hub, {"all": ["1", "2"]})
    again = take(hub, {"all": ["2", "3"]})
    assert [(part.state, part.duplicate) for part in again.parts] == [("waiting", True), ("waiting", False)]
    (health,) = hub.channels.health()
    assert (health.parked, health.waiting) == (0, 3)


def test_a_cancellation_of_what_has_left_is_told_and_changes_nothing(hub: OrderHub) -> None:
    placed = take(hub, bytes_of(of_shop())).placed
    assert placed is not None
    for work in placed.fulfilment_orders:
        hub.fulfilment.accept(work.fulfilment, key=f"a/{work.fulfilment}")
        hub.fulfilment.ship(work.fulfilment, key=f"s/{work.fulfilment}")
    late = Cancellation(channel="shop", external_id="1", source_version=9, cancelled_at=NOON)
    taken = take(hub, write_native_cancellation(late, secret=SECRET)[1])
    assert (taken.state, taken.placed is not None and taken.placed.state) == ("read", OrderState.FULFILLED)
    assert facts(hub, "omo.channel.") == ["omo.channel.cancellation.too_late.v1"]


def test_what_was_odd_in_one_document_makes_no_other_version(hub: OrderHub, clock: ManualClock) -> None:
    odd = json.loads(bytes_of(of_shop()))
    odd["amounts"] = {"line_gross": "0.00", "total": "1.00"}
    take(hub, json.dumps(odd).encode())
    clock.set(NOON + timedelta(minutes=30, seconds=10))
    web = Web({window(0): json.dumps({"orders": [odd]}).encode()})
    done = hub.channels["shop"].reconcile(web, start=NOON)
    assert not isinstance(done, Refusal)
    assert (done.placed, done.parked) == (1, 0), "the list names another path, and means the same order"


def test_an_order_that_stays_unusable_is_parked_once_however_often_it_is_listed(
    hub: OrderHub, clock: ManualClock
) -> None:
    bad = json.loads(bytes_of(order("5", {"NEW": 1}).model_copy(update={"channel": "shop"})))
    good = json.loads(bytes_of(of_shop()))
    clock.set(NOON + timedelta(minutes=30, seconds=10))
    web = Web({
        window(0): json.dumps({"orders": [bad]}).encode(),
        window(20): json.dumps({"orders": [good, bad]}).encode(),
    })  # fmt: skip
    hub.channels["shop"].reconcile(web, start=NOON)
    clock.advance(timedelta(minutes=1))
    hub.channels["shop"].reconcile(web)
    assert [one.reason_code for one in hub.channels["shop"].parked()] == ["unknown_sku"]


def test_an_order_that_is_never_there_is_parked_in_the_end_and_not_lost(hub: OrderHub, clock: ManualClock) -> None:
    take(hub, {"names": "1"})
    desk = hub.channels["shop"]
    for _ in range(30):
        desk.fetch_due(Web())
        clock.advance(timedelta(hours=2))
    (parked,) = desk.parked()
    assert parked.reason_code == "channel_unavailable"
    (again,) = desk.replay()
    assert again.state == "waiting"
    assert desk.fetch_due(Web({"1": bytes_of(of_shop())})).placed == 1
    assert desk.parked() == []


def test_a_fetched_document_that_cannot_be_read_is_kept_with_its_message_parked(hub: OrderHub) -> None:
    take(hub, {"names": "1"})
    desk = hub.channels["shop"]
    assert desk.fetch_due(Web({"1": b'{"type": "order", "version": 7}'})).parked == 1
    (parked,) = desk.parked()
    assert parked.reason_code == "unreadable_body"
    assert hub.run(lambda tx: inbox.body(tx, "shop", _document_key(tx))) == b'{"type": "order", "version": 7}'
    desk.replay()
    assert desk.fetch_due(Web({"1": bytes_of(of_shop())})).placed == 1


def window(minutes: int, cursor: int | str = 0) -> str:
    return f"list/{(NOON + timedelta(minutes=minutes)).isoformat()}/{cursor}"


def test_lost_messages_are_pulled_with_overlapping_windows(hub: OrderHub, clock: ManualClock) -> None:
    desk = hub.channels["shop"]
    clock.set(NOON + timedelta(minutes=90, seconds=10))
    listed = [json.loads(bytes_of(of_shop(external_id=name))) for name in ("1", "2")]
    web = Web({
        window(0): json.dumps({"orders": listed[:1], "next": "b"}).encode(),
        window(0, "b"): json.dumps({"orders": listed[1:], "names": ["3"], "bad": [["4", "it has no lines"]]}).encode(),
        window(60): b"{}",
    })  # fmt: skip
    done = desk.reconcile(web, start=NOON)
    assert not isinstance(done, Refusal)
    assert (done.pages, done.placed, done.parked, done.to_fetch) == (3, 2, 1, 1)
    assert done.until == NOON + timedelta(minutes=90)
    assert [one.reason for one in desk.parked()] == ["it has no lines"]
    assert hub.channels.health()[0].lag_s == 10
    web.answers |= {"3": bytes_of(of_shop(external_id="3")), "4": bytes_of(of_shop(external_id="4"))}
    desk.replay()
    assert desk.fetch_due(web).placed == 2
    assert len(hub.orders.page()) == 4
    clock.advance(timedelta(minutes=10))
    web.answers[window(80)] = web.answers[window(0, "b")]
    again = desk.reconcile(web)
    assert not isinstance(again, Refusal)
    assert (again.pages, again.to_fetch) == (1, 0), "what came before is known"
    assert len(hub.orders.page()) == 4


def test_of_two_contents_of_one_version_the_channel_says_which_holds(hub: OrderHub, clock: ManualClock) -> None:
    """Channels whose clocks tell seconds write two versions in one of them, and their messages overtake each other."""
    desk = hub.channels["shop"]
    (line,) = of_shop().lines
    less = of_shop(lines=(line.model_copy(update={"current_quantity": 1}),))
    assert take(hub, bytes_of(less), "updated").state == "read"
    late = take(hub, bytes_of(of_shop()), "created")
    assert (late.state, late.reason_code, late.reply.body) == ("waiting", "version_conflict", b"success")
    assert take(hub, bytes_of(of_shop()), "created").duplicate
    assert hub.stock.available("A", node="NEAR") == 49
    assert desk.fetch_due(Web({"1": bytes_of(less)})).placed == 1
    assert hub.stock.available("A", node="NEAR") == 49
    assert take(hub, bytes_of(of_shop()), "paid").state == "waiting"
    assert desk.fetch_due(Web({"1": bytes_of(of_shop())})).placed == 1
    assert hub.stock.available("A", node="NEAR") == 48
    assert desk.parked() == []
    assert hub.audit().clean


def test_a_listed_order_of_a_known_version_is_asked_for_once(hub: OrderHub, clock: ManualClock) -> None:
    desk = hub.channels["shop"]
    take(hub, bytes_of(of_shop()))
    clock.set(NOON + timedelta(minutes=60, seconds=10))
    listed = of_shop(note="another content of the same version")
    web = Web({window(0): json.dumps({"orders": [json.loads(bytes_of(listed))]}).encode(), "1": bytes_of(of_shop())})
    for asked in (1, 0):
        done = desk.reconcile(web, start=NOON, overlap=timedelta(hours=1))
        assert not isinstance(done, Refusal)
        assert (done.placed, done.parked, done.to_fetch) == (0, 0, asked)
        assert desk.fetch_due(web).placed == asked
    assert desk.parked() == []


def test_a_round_ends_as_early_as_the_channel_wants(
    hub: OrderHub, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Shop.capabilities.model_copy(update={"list_behind_s": 150})
    monkeypatch.setattr(Shop, "capabilities", late)
    clock.set(NOON + timedelta(minutes=30))
    done = hub.channels["shop"].reconcile(Web({window(0): b"{}"}), start=NOON)
    assert not isinstance(done, Refusal)
    assert done.until == NOON + timedelta(minutes=27, seconds=30)


def test_a_pull_that_breaks_off_goes_on_where_it_was(hub: OrderHub, clock: ManualClock) -> None:
    clock.set(NOON + timedelta(hours=3, seconds=10))
    desk = hub.channels["shop"]
    web = Web({window(0): b"{}"})
    with pytest.raises(ChannelUnavailable):
        desk.reconcile(web, start=NOON)
    assert hub.channels.health()[0].listed_until == NOON + timedelta(hours=1)
    web.answers |= {window(50): b"{}", window(110): b"{}", window(170): b"{}"}
    done = desk.reconcile(web)
    assert not isinstance(done, Refusal)
    assert done.until == NOON + timedelta(hours=3)


class BreaksOff(Exception):
    """The process died here."""


class Breaking:
    """Runs transactions until so many are committed, and then no more."""

    def __init__(self, hub: OrderHub, left: int) -> None:
        self.hub, self.left = hub, left

    def __call__(self, work: Any, /, *, read_only: bool = False) -> Any:
        if self.left == 0:
            raise BreaksOff
        self.left -= 0 if read_only else 1
        return self.hub.run(work, read_only=read_only)


def test_rounds_that_break_off_after_any_transaction_end_the_same(hub: OrderHub, clock: ManualClock) -> None:
    clock.set(NOON + timedelta(minutes=90, seconds=10))
    adapter = hub.channels["shop"].adapter
    listed = [json.loads(bytes_of(of_shop(external_id=name))) for name in ("1", "2")]
    bad = json.loads(bytes_of(order("5", {"NEW": 1}).model_copy(update={"channel": "shop"})))
    web = Web({
        window(0): json.dumps({"orders": [*listed, bad], "names": ["3"]}).encode(),
        "3": bytes_of(of_shop(external_id="3")),
        "5": bytes_of(of_shop(external_id="5")),
    })  # fmt: skip

    def round_of(run: Any) -> None:
        web.answers |= {asked: b"{}" for asked in (window(60), window(80)) if asked not in web.answers}
        intake = Intake(adapter, run, hub.context)
        Reconciliation(intake=intake, calls=web).round(start=NOON)
        fetch_due(intake, web)
        replay(intake)
        fetch_due(intake, web)

    broken = 0
    for left in range(1, 30):
        try:
            round_of(Breaking(hub, left))
        except BreaksOff:
            broken += 1
            web.answers.setdefault(window(50), web.answers[window(0)])
    assert broken >= 8
    assert [one.external_id for one in hub.orders.page()] == ["1", "2", "3", "5"]
    (health,) = hub.channels.health()
    assert (health.parked, health.waiting) == (0, 0)


def story() -> list[tuple[str, bytes]]:
    """An order's life as messages: create, pay, edit, cancel, refund."""
    placed = of_shop(source_version=microseconds(NOON))
    line = placed.lines[0]
    versions = [placed]
    versions.append(placed.model_copy(update={"source_version": placed.source_version + 1, "note": "paid"}))
    less = line.model_copy(update={"current_quantity": 1})
    versions.append(versions[-1].model_copy(update={"source_version": placed.source_version + 2, "lines": (less,)}))
    off = {"status": OrderStatus.CANCELLED, "cancelled_at": NOON, "source_version": placed.source_version + 3}
    versions.append(versions[-1].model_copy(update=off))
    refund = Refund(refund="r1", created_at=NOON, refunded_to_buyer_minor=500)
    versions.append(versions[-1].model_copy(update={"source_version": placed.source_version + 4, "refunds": (refund,)}))
    return [(f"e{number}", bytes_of(version)) for number, version in enumerate(versions)]


@pytest.mark.slow
def test_every_order_of_events_with_duplicates_ends_in_the_same_state() -> None:
    ends = set()
    told = story()
    for number, way in enumerate(permutations(range(5))):
        shop = Shop(NativeConfig(channel="shop", secrets=(SECRET,)))
        with OrderHub.open("sqlite://", clock=ManualClock(NOON), channels={"shop": shop}) as hub:
            hub.network.load(NETWORK)
            hub.stock.receive(node="NEAR", sku="A", quantity=50, key="in")
            for place in way:
                key, body = told[place]
                assert take(hub, body, key).state == "read"
                if (number + place) % 2:
                    assert take(hub, body, key).duplicate
            stands = hub.orders.find("shop", "1")
            assert stands is not None
            version = hub.run(lambda tx: tx.connection.exec_driver_sql("SELECT document FROM omo_order").scalar_one())
            kept = Order.model_validate_json(version)
            ends.add((stands.state, hub.stock.available("A", node="NEAR"), kept.source_version, kept.refunds))
            assert hub.audit().clean
    assert number == 119
    assert len(ends) == 1
    assert next(iter(ends))[:2] == (OrderState.CANCELLED, 50)
