"""The transport against a real server: retries, limits, time-outs, caps and guards."""

from __future__ import annotations

import gzip
import random
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpcore
import pytest

from omo_core.channels.dialect import Dialect, DialectConfig, with_headers
from omo_core.channels.intents import (
    Acknowledge,
    Answer,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    RateLimit,
    Request,
    SetStock,
    StockLevel,
    StockMode,
)
from omo_core.exchange.guard import GuardedBackend
from omo_core.exchange.transport import Patience, Timing, Transport
from omo_core.model.errors import ChannelUnavailable, ForbiddenAddress
from omo_core.model.refusals import Refusal
from omo_core.model.values import ChannelId, Value
from omo_core.storage.clock import ManualClock
from omo_core.testing.samples import NOW
from tests.exchange.web import Told, serving

ORDER = FetchOrder(key="k", external_id="1001")
TAKEN = Acknowledge(key="a", external_id="1001")
STOCK = SetStock(key="s", levels=(StockLevel(listing="L-1", units=7), StockLevel(listing="L-2", units=0)), as_of=NOW)
ADD = STOCK.model_copy(update={"mode": StockMode.RELATIVE})


class ShopConfig(DialectConfig):
    channel: ChannelId = "shop"
    url: str


class Shop(Dialect[ShopConfig]):
    """A plain JSON channel for these tests."""

    config_type: ClassVar[type[Value]] = ShopConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {IntentKind.FETCH_ORDER, IntentKind.ACKNOWLEDGE, IntentKind.SET_STOCK, IntentKind.LIST_CHANGES}
        ),
        stock_modes=frozenset(StockMode),
    )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        if isinstance(intent, SetStock):
            items = tuple(level.listing for level in intent.levels)
            return (Request(method="POST", url=f"{self.config.url}/stock", body=b"[]", items=items, operation="stock"),)
        if isinstance(intent, Acknowledge):
            return (Request(method="POST", url=f"{self.config.url}/take", items=(intent.external_id,)),)
        return (Request(url=f"{self.config.url}/orders?secret=x", items=("1001",), operation="orders"),)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        signed = super().sign(request, now=now, token=token)
        return with_headers(signed, X_Signed_At=now.isoformat())


class Waits:
    """A clock that a sleep moves on, and what was slept."""

    def __init__(self) -> None:
        self.now_s, self.slept = 1_000.0, [0.0]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now_s, sleep=self.sleep, rng=random.Random(7), clock=ManualClock(NOW))

    @property
    def paused_s(self) -> float:
        return sum(self.slept)


def transport(url: str, waits: Waits | None = None, shop: type[Shop] = Shop, **options: Any) -> Transport:
    return Transport(
        shop(ShopConfig(url=url)), timing=(waits or Waits()).timing(), inside=("127.0.0.1", "localhost"), **options
    )


def sent(calls: Transport, intent: Intent) -> Answer:
    """The one answer to an intent that the channel can do."""
    answers = calls.send(intent)
    assert not isinstance(answers, Refusal)
    (answer,) = answers
    return answer


def made(calls: Transport, intent: Intent) -> tuple[Request, ...]:
    requests = calls.adapter.requests(intent)
    assert not isinstance(requests, Refusal)
    return requests


def test_an_intent_is_signed_sent_and_answered_item_by_item() -> None:
    with serving(Told(body=b'{"ok":1}')) as web:
        answer = sent(transport(web.url, tokens=lambda _: "t0k"), STOCK)
    assert [(item.item, item.ok) for item in answer.items] == [("L-1", True), ("L-2", True)]
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/stock", b"[]")
    assert asked.headers["authorization"] == "Bearer t0k"
    assert asked.headers["x-signed-at"] == NOW.isoformat()


def test_what_the_channel_lacks_is_refused_before_anything_is_sent() -> None:
    with serving() as web:
        refusal = transport(web.url).send(ListChanges(key="l", since=NOW, until=NOW + timedelta(1)))
        assert not isinstance(refusal, Refusal)

        class Poorer(Shop):
            capabilities = Capabilities()

        refusal = transport(web.url, shop=Poorer).send(ORDER)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "capability_missing"
    assert len(web.asked) == 1


@pytest.mark.parametrize(("intent", "status", "times"), [
    (ORDER, 500, 4),
    (STOCK, 502, 4),  # an absolute level is the same twice
    (ADD, 502, 1),  # a difference is not
    (ADD, 429, 4),  # but this one was not carried out
    (TAKEN, 500, 1),
    (TAKEN, 503, 4),
    (ORDER, 404, 1),
])  # fmt: skip
def test_only_what_is_safe_is_sent_again(intent: Intent, status: int, times: int) -> None:
    waits = Waits()
    with serving(Told(status=status)) as web:
        answer = sent(transport(web.url, waits), intent)
    assert len(web.asked) == times
    assert all(not item.ok and item.code == f"http_{status}" for item in answer.items)
    assert (waits.paused_s > 0) == (times > 1)


def test_it_waits_as_long_as_the_channel_asks() -> None:
    waits = Waits()
    with serving(Told(status=429, headers={"Retry-After": "17"}), Told()) as web:
        answer = sent(transport(web.url, waits), TAKEN)
    assert answer.ok
    assert 17 <= waits.paused_s < 18
    later = (NOW + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    waits = Waits()
    with serving(Told(status=503, headers={"Retry-After": later}), Told()) as web:
        transport(web.url, waits).send(TAKEN)
    assert 30 <= waits.paused_s < 31


def test_a_wait_beyond_all_patience_is_not_waited() -> None:
    waits = Waits()
    with serving(Told(status=429, headers={"Retry-After": "3600"})) as web:
        answer = sent(transport(web.url, waits), TAKEN)
    assert (answer.items[0].code, answer.items[0].retry, len(web.asked)) == ("http_429", True, 1)
    assert waits.paused_s == 0


def test_a_refused_token_is_asked_for_anew_once() -> None:
    given: list[bool] = []

    def tokens(refused: bool) -> str:
        given.append(refused)
        return "new" if refused else "old"

    with serving(Told(status=401), Told()) as web:
        answer = sent(transport(web.url, tokens=tokens), ORDER)
    assert answer.ok
    assert [asked.headers["authorization"] for asked in web.asked] == ["Bearer old", "Bearer new"]
    with serving(Told(status=401)) as web:
        answer = sent(transport(web.url, tokens=tokens), ORDER)
    assert (answer.items[0].code, len(web.asked)) == ("http_401", 2)


def test_what_hangs_up_or_is_not_there_is_worth_another_try() -> None:
    with serving(Told(hang_up=True)) as web:
        answer = sent(transport(web.url), TAKEN)
        assert (answer.items[0].code, answer.items[0].retry, len(web.asked)) == ("broken_off", True, 1)
        url = web.url
    answer = sent(transport(url), TAKEN)
    assert (answer.items[0].code, answer.items[0].retry) == ("unreachable", True)


def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    written = 0

    def endless() -> Iterator[bytes]:
        nonlocal written
        for _ in range(10_000):
            written += 65_536
            yield b"x" * 65_536

    with serving(Told(drip=endless)) as web:
        answer = sent(transport(web.url, patience=Patience(max_bytes=100_000)), ORDER)
    assert answer.items[0].code == "too_large"
    assert written < 100_000_000


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    with serving(Told(body=bomb, headers={"Content-Encoding": "gzip"})) as web:
        answer = sent(transport(web.url, patience=Patience(max_bytes=1_000_000)), ORDER)
    assert answer.items[0].code == "too_large"
    with serving(Told(body=gzip.compress(b'{"a":1}'), headers={"Content-Encoding": "gzip"})) as web:
        calls = transport(web.url)
        assert calls.fetch(made(calls, ORDER)) == (b'{"a":1}',)
    with serving(Told(body=b"no gzip", headers={"Content-Encoding": "gzip"})) as web:
        answer = sent(transport(web.url, patience=Patience(attempts=1)), ORDER)
    assert answer.items[0].code == "broken_off"
    with serving(Told(body=b"?", headers={"Content-Encoding": "br"})) as web:
        answer = sent(transport(web.url, patience=Patience(attempts=1)), ORDER)
    assert answer.items[0].code == "unknown_encoding"


def test_an_answer_that_drips_for_ever_ends_with_patience() -> None:
    waits = Waits()

    def dripping() -> Iterator[bytes]:
        while True:
            waits.now_s += 5  # as if every piece took its time
            yield b"x"

    with serving(Told(drip=dripping)) as web:
        answer = sent(transport(web.url, waits), TAKEN)
    assert (answer.items[0].code, answer.items[0].retry) == ("timed_out", True)


def test_a_redirect_is_not_followed() -> None:
    with serving(Told(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})) as web:
        answer = sent(transport(web.url), ORDER)
    assert (answer.items[0].code, len(web.asked)) == ("http_302", 1)


@pytest.mark.parametrize("place", [
    "https://127.0.0.1", "https://localhost", "https://10.1.2.3", "https://169.254.169.254", "https://[::1]",
    "https://[::ffff:192.168.0.1]", "https://[fe80::1]", "https://0.0.0.0", "https://[2002:0a00:0001::1]",
])  # fmt: skip
def test_addresses_of_the_own_network_are_never_asked(place: str) -> None:
    with pytest.raises(ForbiddenAddress, match="not of the public internet"):
        Transport(Shop(ShopConfig(url=place)), timing=Waits().timing()).send(ORDER)


def test_a_host_is_reached_by_whichever_of_its_addresses_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as web:
        port = int(web.url.rpartition(":")[2])
        families = ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
        found = [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in families]
        resolve = socket.getaddrinfo

        def answer(host: str, *rest: Any, **more: Any) -> Any:
            """The server listens on one of the two."""
            return found if host == "shop.example" else resolve(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        stream = GuardedBackend(("shop.example",)).connect_tcp("shop.example", port, timeout=5.0)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        stream.close()
    with pytest.raises(httpcore.ConnectError):
        GuardedBackend(("shop.example",)).connect_tcp("shop.example", port, timeout=5.0)


def test_plain_http_is_for_named_hosts_only() -> None:
    with pytest.raises(ForbiddenAddress, match=r"shop: GET http://shop\.example/orders is not reached by https"):
        Transport(Shop(ShopConfig(url="http://shop.example")), timing=Waits().timing()).send(ORDER)


def test_an_order_that_cannot_be_read_yet_is_asked_for_later() -> None:
    with serving(Told(status=404)) as web:
        calls = transport(web.url)
        with pytest.raises(ChannelUnavailable, match=r"answered 404; ask again later") as raised:
            calls.fetch(made(calls, ORDER))
    assert "secret" not in str(raised.value)


def test_each_operation_keeps_its_limit() -> None:
    class Limited(Shop):
        capabilities = Shop.capabilities.model_copy(
            update={
                "limits": (
                    ("orders", RateLimit(per_period=2, period_ms=1_000, burst=3)),
                    ("*", RateLimit(per_period=1, period_ms=10_000, burst=1)),
                )
            }
        )

    waits = Waits()
    with serving() as web:
        calls = transport(web.url, waits, Limited)
        for _ in range(3):
            calls.send(ORDER)
        assert waits.paused_s == 0
        for _ in range(4):
            calls.send(ORDER)
        assert waits.paused_s == pytest.approx(2.0)
        calls.send(STOCK)  # no limit of its own: the one for every other call
        assert waits.paused_s == pytest.approx(2.0)
        calls.send(STOCK)
        assert waits.paused_s == pytest.approx(12.0)


def test_a_limit_that_comes_too_late_is_said() -> None:
    class Slow(Shop):
        capabilities = Shop.capabilities.model_copy(
            update={"limits": (("*", RateLimit(per_period=1, period_ms=3_600_000)),)}
        )

    with serving() as web:
        calls = transport(web.url, shop=Slow)
        calls.send(ORDER)
        answer = sent(calls, ORDER)
    assert (answer.items[0].code, answer.items[0].retry, len(web.asked)) == ("limit_reached", True, 1)
