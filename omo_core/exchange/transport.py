"""Sends what adapters ask for: with limits, time-outs, retries and size caps, and to public addresses only.

A transport belongs to one adapter. It signs each request when it is sent, waits its turn by the channel's limits,
repeats what is safe to repeat, and gives back values: what became of every item, and never an exception for what a
network does on a bad day. Needs the extra `http`.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

try:
    import httpx
except ImportError as missing:
    raise ImportError("talking to channels needs httpx: pip install 'omo-core[http]'") from missing

from omo_core.channels.intents import (
    Answer,
    FetchOrder,
    Intent,
    ItemAnswer,
    ListChanges,
    Request,
    Response,
    SetStock,
    StockMode,
)
from omo_core.channels.port import ChannelAdapter
from omo_core.exchange.guard import GuardedTransport
from omo_core.exchange.rate_limits import RateLimits
from omo_core.model.errors import ChannelUnavailable, ForbiddenAddress, InvalidInput
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import Clock, DatabaseClock

_SAFE_METHODS: Final = frozenset({"GET", "PUT", "DELETE"})
_UNAUTHORISED: Final = 401
_NOT_DONE: Final = frozenset({429, 503})
"""Statuses that say the request was not carried out, so that any request may be sent again."""
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

Tokens = Callable[[bool], str | None]
"""Gives the current access token; asked with True when the channel refused the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, how often to try, and how much to read."""

    connect_s: float = 5.0
    read_s: float = 15.0
    total_s: float = 60.0
    """For one request with all its repetitions and waits; at most this plus one read."""
    attempts: int = 4
    first_pause_s: float = 0.5
    """Pauses double from here, each drawn between half of it and all of it."""
    longest_pause_s: float = 20.0
    max_bytes: int = 8 * 1024 * 1024
    """Of a response, as it is after unpacking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where time and chance come from; tests give their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)
    clock: Clock = field(default_factory=DatabaseClock)


class Transport:
    """Carries out one channel's requests. Threads may share it; `close` it at the end."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        *,
        tokens: Tokens | None = None,
        patience: Patience | None = None,
        timing: Timing | None = None,
        inside: Iterable[str] = (),
        client: httpx.Client | None = None,
    ) -> None:
        """`inside` names hosts of the own network that may be asked, by http too: a gateway or a test server.

        A `client` of the host's own (for a proxy, say) brings its own guards.
        """
        self.adapter = adapter
        self._tokens = tokens or (lambda _refused: None)
        self._patience = patience or Patience()
        self._timing = timing or Timing()
        self._inside = frozenset(inside)
        self._limits = RateLimits(adapter.capabilities.limits, self._timing.monotonic)
        times = httpx.Timeout(self._patience.read_s, connect=self._patience.connect_s)
        self._client = client or httpx.Client(
            transport=GuardedTransport(self._inside), timeout=times, follow_redirects=False, trust_env=False
        )

    def close(self) -> None:
        """Give up the connections."""
        self._client.close()

    def send(self, intent: Intent) -> tuple[Answer, ...] | Refusal:
        """Carry out an intent and say item by item what became of it; a refusal where the channel cannot do it.

        One answer a request. What could not be reached is an item with `retry`; its code says why. Raises
        `ForbiddenAddress` where the configuration points to an address that no channel has.
        """
        made = self.adapter.requests(intent)
        if isinstance(made, Refusal):
            return made
        return tuple(self._answer(intent, request) for request in made)

    def fetch(self, requests: Iterable[Request]) -> tuple[bytes, ...]:
        """The bodies that answer requests which get an order, in their order, for `parse_order`.

        Raises `ChannelUnavailable` where one is not answered with success: an order that a message has just named may
        not be readable yet, so ask again later.
        """
        bodies = []
        for request in requests:
            response = self._send(request, repeatable=True)
            if isinstance(response, str):
                raise ChannelUnavailable(f"{self._place(request)} did not answer ({response}); ask again later")
            if not 200 <= response.status < 300:
                raise ChannelUnavailable(
                    f"{self._place(request)} answered {response.status}; ask again later", status=response.status
                )
            bodies.append(response.body)
        return tuple(bodies)

    def _answer(self, intent: Intent, request: Request) -> Answer:
        absolute = isinstance(intent, SetStock) and intent.mode is StockMode.ABSOLUTE
        response = self._send(request, repeatable=absolute or isinstance(intent, FetchOrder | ListChanges))
        if isinstance(response, str):
            return _all_failed(request, response, "the channel was not reached, or did not answer in time", retry=True)
        try:
            return self.adapter.read_answer(intent, request, response)
        except InvalidInput as error:
            return _all_failed(request, "unreadable_answer", str(error)[:500], retry=False)

    def _send(self, request: Request, *, repeatable: bool) -> Response | str:
        """The response, or the code of why there is none after every attempt."""
        timing, patience = self._timing, self._patience
        give_up_at = timing.monotonic() + patience.total_s
        repeatable = repeatable or request.method in _SAFE_METHODS
        refused_token = False
        found: Response | str = "not_sent"
        for attempt in range(patience.attempts):
            wait_s = self._limits.wait_s(request.operation)
            if timing.monotonic() + wait_s >= give_up_at:
                return found if attempt else "limit_reached"
            timing.sleep(wait_s)
            found, sent = self._once(request, refused_token, give_up_at)
            if isinstance(found, Response):
                if found.status == _UNAUTHORISED and not refused_token:
                    refused_token = True
                    continue
                if found.status not in _BUSY or not (repeatable or found.status in _NOT_DONE):
                    return found
            elif found == "too_large" or (sent and not repeatable):
                return found
            pause_s = self._pause_s(attempt, found)
            if attempt + 1 == patience.attempts or timing.monotonic() + pause_s >= give_up_at:
                return found
            timing.sleep(pause_s)
        return found

    def _once(self, request: Request, refused_token: bool, give_up_at: float) -> tuple[Response | str, bool]:
        """(the response or the code of why there is none, whether the channel may have got the request)."""
        signed = self.adapter.sign(request, now=self._timing.clock.now(), token=self._tokens(refused_token))
        self._check(signed)
        headers = {"Accept-Encoding": "gzip", **dict(signed.headers)}
        try:
            with self._client.stream(signed.method, signed.url, headers=headers, content=signed.body) as answer:
                body = self._read(answer, give_up_at)
                if isinstance(body, str):
                    return body, True
                names = tuple((name.lower(), value) for name, value in answer.headers.items())
                return Response(status=answer.status_code, headers=names, body=body), True
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return "unreachable", False
        except httpx.TimeoutException:
            return "timed_out", True
        except (httpx.HTTPError, httpx.InvalidURL):
            return "broken_off", True

    def _read(self, answer: httpx.Response, give_up_at: float) -> bytes | str:
        """The body, unpacked within bounds; or the code of why it cannot be used."""
        encoding = answer.headers.get("content-encoding", "identity").lower()
        if encoding not in {"identity", "gzip"}:
            return "unknown_encoding"
        parts, size = [], 0
        for part in _unpacked(answer.iter_raw(), encoding == "gzip", self._patience.max_bytes):
            size += len(part)
            if size > self._patience.max_bytes:
                return "too_large"
            if self._timing.monotonic() > give_up_at:
                return "timed_out"
            parts.append(part)
        return b"".join(parts)

    def _check(self, request: Request) -> None:
        url = httpx.URL(request.url)
        if url.scheme != "https" and url.host not in self._inside:
            raise ForbiddenAddress(f"{self._place(request)} is not reached by https; correct the channel's address")

    def _pause_s(self, attempt: int, found: Response | str) -> float:
        patience = self._patience
        drawn: float = patience.first_pause_s * 2**attempt * self._timing.rng.uniform(0.5, 1.0)
        asked = _retry_after_s(found, self._timing.clock.now()) if isinstance(found, Response) else 0.0
        return max(min(drawn, patience.longest_pause_s), asked)

    def _place(self, request: Request) -> str:
        """Which call it is, without its query: that may hold a person's data or a signature."""
        return f"{self.adapter.channel}: {request.method} {request.url.partition('?')[0]}"


def _all_failed(request: Request, code: str, message: str, *, retry: bool) -> Answer:
    return Answer(
        items=tuple(ItemAnswer(item=item, ok=False, code=code, message=message, retry=retry) for item in request.items)
    )


def _unpacked(parts: Iterator[bytes], packed: bool, most: int) -> Iterator[bytes]:
    """The parts of a body, unpacked piece by piece: a small one may unpack to a thousand times its size."""
    if not packed:
        yield from parts
        return
    unpacker = zlib.decompressobj(wbits=31)
    for part in parts:
        try:
            yield unpacker.decompress(part, most + 1)
            while unpacker.unconsumed_tail:
                yield unpacker.decompress(unpacker.unconsumed_tail, most + 1)
        except zlib.error as error:
            raise httpx.DecodingError(f"the body is not gzip: {error}") from error


def _retry_after_s(response: Response, now: datetime) -> float:
    """How long the channel asks to wait: seconds, or until a date; 0 where it does not say."""
    text = dict(response.headers).get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(timedelta(0), aware - now).total_seconds()
