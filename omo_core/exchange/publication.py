"""Tells one channel what can be sold: only what changed, as absolute levels, and again after anything went wrong.

A round asks the database which numbers differ from what the channel was told, and sends them batch by batch, falls
before rises, because an oversell is worse than an undersell. Right before a batch is sent its numbers are computed anew
and marked as being sent: from there until the channel takes them nobody knows what it shows, so they are told again
whatever the pool has. A crash anywhere therefore costs nothing but telling one batch twice.

Rounds of one channel may overlap. A round leaves alone what is marked while another one is under way, because two
requests on their way at once may arrive in any order; a round that died counts as under way for `Publication.patience`,
and what it had in hand is told again later too, because it may only have slept: see `rounds`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Final, Protocol

from omo_core.channels.dialect import batches
from omo_core.channels.intents import (
    Answer,
    Intent,
    IntentKind,
    ItemAnswer,
    SetStock,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.port import ChannelAdapter
from omo_core.exchange.intake import Run
from omo_core.exchange.rounds import read_rounds
from omo_core.inventory import (
    Sending,
    TellingKey,
    availability_deltas,
    doubt_told,
    expect_told,
    mark_sending,
    settle_sent,
)
from omo_core.model.availability import AvailabilityDelta, PublicationRule
from omo_core.model.errors import InvalidInput
from omo_core.model.refusals import Refusal
from omo_core.model.values import Identifier, Value
from omo_core.storage.transaction import Transaction

_MOST_A_BATCH: Final = 1_000
"""Numbers that are on their way at once, where the channel would take more."""

_BUSY_BATCHES: Final = 2
"""After so many batches in a row of which a channel that is busy or away took nothing, the round ends."""


class Sends(Protocol):
    """What is asked of a transport; `omo_core.exchange.transport.Transport` is one."""

    def send(self, intent: Intent) -> tuple[Answer, ...] | Refusal:
        """Carry out an intent and say item by item what became of it."""
        ...


class Listing(Value):
    """How a channel names one item of ours."""

    listing: Identifier
    product: Identifier | None = None
    """The product it is a variant of, where the channel's calls need both."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A number that the channel did not take, with its own code of why; the next round tells it again.

    Where it did not answer, or what is asked cannot be said in its dialect, the code is ours.
    """

    sku: str
    node: str
    code: str
    message: str | None = None
    retry: bool = False
    """The channel was busy or away; nothing is wrong with the number."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a round did, in numbers: one an item, or one an item and node."""

    told: int = 0
    refused: tuple[NotTaken, ...] = ()
    waiting: int = 0
    """Left to the next round: another one is sending them, or the channel is busy or away."""
    unlisted: int = 0
    """Changed, but the item has no listing, or the node no location, so that the channel cannot be told."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One channel's rounds of telling; give each a fresh number, or keep one and call `round` again and again."""

    adapter: ChannelAdapter
    rule: PublicationRule
    listings: Mapping[str, Listing | tuple[Listing, ...]]
    """Our SKU → its listing, or its several ones, which are all told the same number."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Our node → the channel's location; `""` → the one of a channel that has one number for all nodes."""
    run: Run
    patience: timedelta = timedelta(minutes=5)
    """Longer than a batch can be on its way with every repetition. A round that died is waited for so long."""

    def __post_init__(self) -> None:
        """Two items on one listing would overwrite each other's numbers; raises `InvalidInput`."""
        owners: dict[tuple[str | None, str], str] = {}
        for sku, listings in self._listed.items():
            for one in listings:
                other = owners.setdefault((one.product, one.listing), sku)
                if other != sku:
                    raise InvalidInput(
                        f"the listing {one.listing} is given to {other} and to {sku}; give it to one item"
                    )

    def round(self, sends: Sends, *, again: Collection[str] = ()) -> Published | Refusal:
        """Tell the channel every number that differs from what it was told.

        Items of `again` are told whatever was told before: somebody else changed the channel's numbers, or an item got
        another listing. A refusal where the channel takes no absolute levels: relative ones cannot be told again.
        """
        why = self._cannot()
        if why is not None:
            return cannot(self.adapter.channel, IntentKind.SET_STOCK, why)
        cells, unlisted, number = self._to_tell(again)
        if not cells:
            return Published(unlisted=unlisted)
        settled = False
        try:
            found = self._tell(sends, cells, unlisted, number)
            settled = True
        finally:
            self.run(lambda tx: read_rounds(tx, self.rule.channel).leave(tx, number, settled=settled))
        return found

    @cached_property
    def _listed(self) -> Mapping[str, tuple[Listing, ...]]:
        return {sku: (one,) if isinstance(one, Listing) else tuple(one) for sku, one in self.listings.items()}

    @cached_property
    def _rule(self) -> PublicationRule:
        """By node only where the channel keeps stock by location."""
        by_node = self.rule.per_node and self.adapter.capabilities.stock_by_location
        return self.rule if by_node == self.rule.per_node else self.rule.model_copy(update={"per_node": False})

    @cached_property
    def _nodes(self) -> tuple[str, ...]:
        """Where the channel shows numbers: at its locations, or '' for all of them."""
        if not self._rule.per_node:
            return ("",)
        return tuple(
            sorted(node for node in self.locations if node and (not self.rule.nodes or node in self.rule.nodes))
        )

    @cached_property
    def _listings_sha256(self) -> str:
        """Changes whenever something is listed or located anew."""
        return hashlib.sha256("\0".join([*self._nodes, "", *sorted(self._listed)]).encode()).hexdigest()

    def _cannot(self) -> str | None:
        capabilities = self.adapter.capabilities
        if IntentKind.SET_STOCK not in capabilities.intents:
            return "the channel, or its adapter, has no such call"
        if StockMode.ABSOLUTE not in capabilities.stock_modes:
            return "it takes no absolute stock levels, and after a crash a relative one would count twice"
        return None

    def _to_tell(self, again: Collection[str]) -> tuple[list[AvailabilityDelta], int, str]:
        """What is to be told, falls first; how much has no listing; and the round's own id."""

        def look(tx: Transaction) -> tuple[list[AvailabilityDelta], str] | None:
            rounds = read_rounds(tx, self.rule.channel, lock=False)
            if again or rounds.listings != self._listings_sha256 or rounds.any_due(tx.now_us):
                return None
            return availability_deltas(tx, self._rule), tx.new_id()

        def write_and_look(tx: Transaction) -> tuple[list[AvailabilityDelta], str]:
            self._take_note(tx, again)
            return availability_deltas(tx, self._rule), tx.new_id()

        found, number = self.run(look, read_only=True) or self.run(write_and_look)
        cells = [one for one in found if self._can_be_told(one)]
        return sorted(cells, key=_rises), len(found) - len(cells), number

    def _take_note(self, tx: Transaction, again: Collection[str]) -> None:
        """Of what is listed anew: the channel may show anything there; and of what is to be told again.

        Also of what a round had in hand that was given up: it may have slept, and its old number come after a newer one.
        """
        channel = self.rule.channel
        rounds = read_rounds(tx, channel)
        unknown = {sku for sku in again if sku not in self._listed}
        if unknown:
            raise InvalidInput(f"{min(unknown)} has no listing on {channel}; give it one")
        doubt_told(tx, [(channel, node, sku) for sku in sorted(set(again)) for node in self._nodes])
        if rounds.listings != self._listings_sha256:
            # Also what is going to be told now: this round may die first, and the last unit be sold until the next one.
            expect_told(tx, [(channel, node, sku) for sku in self._listed for node in self._nodes])
            rounds.listings = self._listings_sha256
            rounds.keep(tx)
        late = sorted(set(rounds.take_due(tx.now_us)))
        if late:
            doubt_told(tx, [(channel, node, sku) for sku, node in late])
            rounds.keep(tx)

    def _can_be_told(self, delta: AvailabilityDelta) -> bool:
        return delta.sku in self._listed and (not self._rule.per_node or delta.node in self.locations)

    def _tell(self, sends: Sends, cells: Sequence[AvailabilityDelta], unlisted: int, number: str) -> Published:
        told = waiting = done = busy = 0
        refused: list[NotTaken] = []
        for batch in batches(cells, self._batch):
            marked = self.run(partial(self._mark, batch, number))
            wrong = self._send(sends, marked)
            taken = [key for key in marked.numbers if key not in wrong]
            self.run(partial(_settle, marked.numbers, taken))
            told, waiting, done = told + len(taken), waiting + marked.spared, done + len(batch)
            refused += wrong.values()
            away = bool(wrong) and not taken and all(one.retry for one in wrong.values())
            busy = busy + 1 if away else 0
            if busy == _BUSY_BATCHES:
                waiting += len(cells) - done
                break
        return Published(told, tuple(refused), waiting, unlisted)

    @property
    def _batch(self) -> int:
        return max(1, min(self.adapter.capabilities.stock_batch, _MOST_A_BATCH))

    def _mark(self, batch: Sequence[AvailabilityDelta], number: str, tx: Transaction) -> _Marked:
        """The numbers of a batch as they are now, from here on being sent; those that changed back are left out."""
        cells = [(one.sku, one.node) for one in batch]
        overlap = read_rounds(tx, self.rule.channel).enter(tx, number, cells, self.patience)
        numbers, spared = mark_sending(tx, self._rule, cells, spare_sending=overlap)
        return _Marked(numbers, spared, tx.now)

    def _send(self, sends: Sends, marked: _Marked) -> dict[TellingKey, NotTaken]:
        """Send what was marked, and say what the channel did not take."""
        levels = [
            (
                key,
                StockLevel(
                    listing=listing.listing,
                    product=listing.product,
                    sku=key[2],
                    location=self.locations.get(key[1]),
                    units=number.units,
                ),
            )
            for key, number in marked.numbers.items()
            for listing in self._listed[key[2]]
        ]
        wrong: dict[TellingKey, NotTaken] = {}
        for some in batches(levels, self._batch):
            for key, answer in _answers(sends, some, marked):
                wrong.setdefault(key, NotTaken(key[2], key[1], answer.code or "refused", answer.message, answer.retry))
        return wrong


@dataclass(frozen=True, slots=True)
class _Marked:
    """A batch that is being sent: its numbers, and how many were left to other rounds."""

    numbers: Mapping[TellingKey, Sending]
    spared: int
    as_of: datetime


def _answers(
    sends: Sends, levels: Sequence[tuple[TellingKey, StockLevel]], marked: _Marked
) -> Iterator[tuple[TellingKey, ItemAnswer]]:
    """What the channel says of the levels that it did not take.

    Where the dialect cannot say one level, such as a listing that is no number there, its intent is refused as a whole,
    before anything is sent. Then each half goes by itself, so that the others are told.
    """
    try:
        said = sends.send(_intent(levels, marked))
    except InvalidInput as error:
        said = Refusal(code=error.code, parameters={}, sentence=str(error))
    if isinstance(said, Refusal):
        if len(levels) == 1:
            (key, level) = levels[0]
            yield key, ItemAnswer(item=level.listing, ok=False, code=said.code, message=said.sentence)
            return
        middle = len(levels) // 2
        yield from _answers(sends, levels[:middle], marked)
        yield from _answers(sends, levels[middle:], marked)
        return
    items: dict[str, ItemAnswer] = {}
    for item in (one for answer in said for one in answer.items):
        if item.item not in items or not item.ok:
            items[item.item] = item
    for key, level in levels:
        found = items.get(level.listing) or ItemAnswer(item=level.listing, ok=False, code="unanswered")
        if not found.ok:
            yield key, found


def _intent(levels: Sequence[tuple[TellingKey, StockLevel]], marked: _Marked) -> SetStock:
    """The same content has the same key; the rows' versions are in it, because a number may come back later."""
    content = [(key, *marked.numbers[key], level.product, level.listing, level.location) for key, level in levels]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return SetStock(key=f"stock/{digest}", levels=tuple(level for _, level in levels), as_of=marked.as_of)


def _settle(sent: Mapping[TellingKey, Sending], taken: Collection[TellingKey], tx: Transaction) -> None:
    settle_sent(tx, sent, taken)


def _rises(delta: AvailabilityDelta) -> bool:
    """What the channel may show too much of comes first: a fall, and a number that it may never have heard."""
    return delta.told is None or (delta.units > delta.told and not delta.sending)
