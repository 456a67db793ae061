"""Tells one channel what became of its orders: parcels that left, goods that wait for their buyer, orders we take.

What is to be told was written in the transaction that made it true. A round leases some of it, tells it report by report,
and writes down what the channel said. A crash in between costs nothing but telling a report again once its lease is over,
under the same key: a channel that keeps keys, or says that the goods are sent already, notices nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from omo_core.channels.intents import Answer, Intent, IntentKind, ItemAnswer, cannot
from omo_core.channels.port import ChannelAdapter
from omo_core.exchange.intake import Run
from omo_core.exchange.pauses import pause_us
from omo_core.exchange.publication import Sends
from omo_core.exchange.telling import CannotTell, Story, Words, acknowledged, ready, shipped, shipped_whole
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.storage import reports, tables
from omo_core.storage.clock import to_us
from omo_core.storage.reports import Report
from omo_core.storage.transaction import Transaction

_KINDS: Final = {
    "ship": IntentKind.SHIP,
    "ready": IntentKind.READY_FOR_PICKUP,
    "acknowledge": IntentKind.ACKNOWLEDGE,
}


@dataclass(frozen=True, slots=True)
class NotTold:
    """A report that the channel was not told, or did not take: the code is its own, or ours where it did not answer."""

    report: str
    code: str
    message: str | None = None
    retry: bool = False
    """It is told again by itself; otherwise it is parked until `ChannelDesk.report_again`."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a round did, in reports."""

    told: int = 0
    not_told: tuple[NotTold, ...] = ()
    skipped: int = 0
    """Let go: what the channel, or its adapter, has no call for, and what happened before `since`."""
    cannot: tuple[Refusal, ...] = ()
    """Of which kinds those were."""


@dataclass(frozen=True, slots=True)
class _Leased:
    """Reports of one order that are this round's, and what is known of the order."""

    story: Story
    own: list[Report]
    open_ships: int
    """Parcels of it that the channel has not heard of, others' included."""
    left_whole: bool
    waiting_at: frozenset[str]
    """Fulfilment orders that nodes have in hand."""


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """One channel's rounds of telling what became of its orders. Rounds may overlap: a report is leased by one of them."""

    adapter: ChannelAdapter
    run: Run
    locations: Mapping[str, str] = field(default_factory=dict)
    """Our node → the channel's location that goods leave from, where it wants to hear one."""
    done_before: Collection[str] = ()
    """More codes that say that a report is true already; the adapter names those that are documented."""
    patience: timedelta = timedelta(minutes=5)
    """Longer than a round's reports can be on their way. What a round that died has leased is told after so long."""

    def round(self, sends: Sends, *, limit: int = 100, since: datetime | None = None) -> Reported:
        """Tell what is due, at most `limit` reports. What left before `since` was told by others, and is let go."""
        skipped, refusals = self.run(lambda tx: self._let_go(tx, since))
        leased = self.run(lambda tx: self._lease(tx, limit))
        told, wrong = 0, []
        for one in leased:
            for group, ways in self._ways(one):
                taken = set(group[0].taken)
                failed = ways if isinstance(ways, NotTold) else self._tell(sends, group[0].report, ways, taken)
                self._settle(group, failed, taken)
                told += 0 if failed else len(group)
                wrong += [failed] if failed else []
        return Reported(told, tuple(wrong), skipped, refusals)

    def _let_go(self, tx: Transaction, since: datetime | None) -> tuple[int, tuple[Refusal, ...]]:
        """What the channel cannot hear, told once, and what it has heard from others."""
        skipped, refusals = 0, []
        for kind, intent in _KINDS.items():
            if intent not in self.adapter.capabilities.intents:
                refusal = cannot(self.adapter.channel, intent, "the channel, or its adapter, has no such call")
                until_us = tx.now_us + 1
                found = reports.skip(
                    tx, self.adapter.channel, kind, before_us=until_us, code=refusal.code, reason=refusal.sentence
                )
                refusals += [refusal] if found else []
                skipped += found
            elif since is not None:
                why = "it happened before the channel was to be told"
                skipped += reports.skip(
                    tx, self.adapter.channel, kind, before_us=to_us(since), code="before_since", reason=why
                )
        return skipped, tuple(refusals)

    def _lease(self, tx: Transaction, limit: int) -> list[_Leased]:
        channel, capabilities = self.adapter.channel, self.adapter.capabilities
        if IntentKind.ACKNOWLEDGE in capabilities.intents:
            rows = [
                {
                    "report": f"acknowledge/{order_id}",
                    "kind": "acknowledge",
                    "channel": channel,
                    "order_id": order_id,
                    "fulfilment": None,
                    "document": None,
                }
                for order_id in reports.unacknowledged(tx, channel, limit=limit)
            ]
            reports.add(tx, rows)
        until_us = tx.now_us + self.patience // timedelta(microseconds=1)
        whole = not capabilities.partial_shipments
        own: dict[str, list[Report]] = defaultdict(list)
        for one in reports.lease(tx, channel, until_us=until_us, limit=limit, whole_orders=whole):
            own[one.order_id].append(one)
        return _stories(tx, own)

    def _ways(self, one: _Leased) -> Iterable[tuple[list[Report], list[list[Intent]] | NotTold]]:
        """What to say of each report, or of those that go together."""
        by_kind: dict[str, list[Report]] = defaultdict(list)
        for report in sorted(one.own, key=lambda report: (report.happened_at_us, report.report)):
            by_kind[report.kind].append(report)
        for report in by_kind["acknowledge"]:
            yield [report], acknowledged(one.story, report)
        for report in by_kind["ready"]:
            in_time = report.fulfilment in one.waiting_at
            yield [report], ready(one.story, report) if in_time else []
        leaving = by_kind["ship"]
        words = self._words
        if leaving and not self.adapter.capabilities.partial_shipments:
            several = self.adapter.capabilities.several_parcels
            yield leaving, _or_not(leaving[0], partial(shipped_whole, one.story, leaving, words, several=several))
            return
        for place, report in enumerate(leaving, start=1):
            # Whoever tells the last open parcel says that it is the last, unless something else stands open.
            ends = one.left_whole and place == len(leaving) == one.open_ships
            yield [report], _or_not(report, partial(shipped, one.story, report, words, completes=ends))

    @property
    def _words(self) -> Words:
        config: Any = getattr(self.adapter, "config", None)
        carriers = getattr(config, "carriers", {})
        return Words(carriers=carriers, locations=self.locations, untracked=getattr(config, "untracked", None))

    def _tell(self, sends: Sends, report: str, ways: Sequence[Sequence[Intent]], taken: set[str]) -> NotTold | None:
        """Say all parts of a report that were not `taken` before, and add those that are now; what keeps it from being done.

        What is worth another try decides, so that a part which is refused for good keeps no other back.
        """
        wrong: list[NotTold] = []
        for forms in ways:
            if forms[0].key in taken:
                continue
            failed = self._tell_part(sends, report, forms)
            if failed is None:
                taken.add(forms[0].key)
            else:
                wrong.append(failed)
        return next((one for one in wrong if one.retry), wrong[0]) if wrong else None

    def _tell_part(self, sends: Sends, report: str, forms: Sequence[Intent]) -> NotTold | None:
        """Say one part in the first way that the channel's dialect has; why it was not taken."""
        failed: NotTold | None = None
        for form in forms:
            try:
                said = sends.send(form)
            except InvalidInput as error:
                failed = failed or NotTold(report, error.code, str(error))
                continue
            if not isinstance(said, Refusal):
                return self._failure(report, said)
            failed = failed or NotTold(report, said.code, said.sentence)
        return failed

    def _failure(self, report: str, said: Sequence[Answer]) -> NotTold | None:
        known = {*self.done_before, *self.adapter.capabilities.done_before}
        wrong = [one for answer in said for one in answer.items if not one.ok and one.code not in known]
        if not said:
            wrong = [ItemAnswer(item=report, ok=False, code="unanswered", retry=True)]
        if not wrong:
            return None
        worst = next((one for one in wrong if one.retry), wrong[0])
        return NotTold(report, worst.code or "refused", worst.message, worst.retry)

    def _settle(self, group: Sequence[Report], failed: NotTold | None, taken: Collection[str]) -> None:
        def work(tx: Transaction) -> None:
            if failed is None:
                reports.settle(tx, group, state="done")
                return
            reports.keep_taken(tx, group, taken)
            pause = pause_us(max(one.attempts for one in group)) if failed.retry else None
            due_at_us = None if pause is None else tx.now_us + pause
            state = "parked" if pause is None else "waiting"
            reports.settle(tx, group, state=state, due_at_us=due_at_us, code=failed.code, reason=failed.message)

        self.run(work)


def _or_not(report: Report, ways: Callable[[], list[list[Intent]]]) -> list[list[Intent]] | NotTold:
    try:
        return ways()
    except CannotTell as why:
        return NotTold(report.report, why.code, str(why))


def _stories(tx: Transaction, own: Mapping[str, list[Report]]) -> list[_Leased]:
    """The orders of leased reports, with everything that was to be told of them."""
    keys = [(order_id,) for order_id in sorted(own)]
    all_reports: dict[str, list[Report]] = defaultdict(list)
    for report in reports.of_orders(tx, own):
        all_reports[report.order_id].append(report)
    works: dict[str, list[Any]] = defaultdict(list)
    for work in tx.select(tables.fulfilment, ("order_id", "fulfilment", "node", "state"), ("order_id",), keys):
        works[work.order_id].append(work)
    found = []
    for row in tx.select(tables.order, ("order_id", "state", "document"), ("order_id",), keys):
        ours = works[row.order_id]
        story = Story(
            Order.model_validate_json(row.document),
            all_reports[row.order_id],
            {work.fulfilment: work.node for work in ours},
        )
        open_ships = sum(one.kind == "ship" and one.state in {"waiting", "parked"} for one in story.reports)
        at_nodes = frozenset(work.fulfilment for work in ours if work.state == "accepted")
        found.append(_Leased(story, own[row.order_id], open_ships, row.state == "fulfilled", at_nodes))
    return found
