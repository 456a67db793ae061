"""What a channel is to hear of one report: the intents, in the words of its own order, lines and carriers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from omo_core.channels.intents import Acknowledge, Intent, Parcel, Quantities, ReadyForPickup, Ship
from omo_core.model.fulfilment import ShippedParcel
from omo_core.model.orders import Order, OrderLine
from omo_core.storage.clock import from_us
from omo_core.storage.reports import Report


class CannotTell(Exception):
    """A report that lacks what every channel wants to hear; `code` is stable, the text says what to do."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a channel names what is ours."""

    carriers: Mapping[str, str] = field(default_factory=dict)
    """Our carrier → the channel's code; '' → the one of parcels that name none. A carrier not listed is its own code."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Our node → the channel's location that goods leave from."""
    untracked: str | None = None
    """What to give as tracking for goods that left without any; None: they are parked until there is something."""

    def parcel(self, parcel: ShippedParcel, quantities: Quantities, node: str, left_at_us: int) -> Parcel:
        """A parcel as the channel hears of it; raises `CannotTell`."""
        carrier = self.carriers.get(parcel.carrier or "", parcel.carrier)
        if carrier is None:
            raise CannotTell("no_carrier", "the parcel names no carrier; give the channel's carriers one under ''")
        tracking = parcel.tracking or self.untracked
        if tracking is None:
            raise CannotTell("no_tracking", "the goods left without a tracking number; say what to tell as untracked")
        return Parcel(
            carrier=carrier,
            tracking=tracking,
            tracking_url=parcel.tracking_url,
            quantities=quantities,
            location=self.locations.get(node),
            shipped_at=from_us(left_at_us),
        )


@dataclass(frozen=True)
class Story:
    """An order as its channel told it last, and all parcels of it that left, in the order in which they did."""

    order: Order
    reports: Sequence[Report]
    nodes: Mapping[str, str]
    """Fulfilment order → its node."""

    def parcel_of(self, report: Report) -> ShippedParcel:
        """What left."""
        return ShippedParcel.model_validate_json(report.document or "{}")

    def lines(self, quantities: Iterable[tuple[str, int]]) -> dict[str | None, Quantities]:
        """(our line, units) as the channel's lines, by the channel's own id of the work they are of."""
        known = {line.line: line for line in self.order.lines}
        found: dict[str | None, Counter[str]] = defaultdict(Counter)
        for name, units in quantities:
            line = known.get(name)
            if line is None:
                found[None][name] += units
            else:
                work = line.fulfilment or self.order.deliveries[line.delivery].fulfilment
                found[work][line.fulfilment_line or line.line] += units
        return {work: tuple(units.items()) for work, units in found.items()}

    def units_of(self, report: Report) -> list[tuple[str, int]]:
        """What the channel counts of a parcel: lines, and sets that it completes in the place of their parts.

        A part that the channel has no id for is named after its set: `set/number`.
        """
        before: Counter[str] = Counter()
        for one in sorted((one for one in self.reports if one.kind == "ship"), key=_when):
            if one.report == report.report:
                break
            before.update(dict(self.parcel_of(one).quantities))
        now = dict(self.parcel_of(report).quantities)
        sets: dict[str, list[OrderLine]] = defaultdict(list)
        for line in self.order.lines:
            if line.parent is not None and line.line.startswith(f"{line.parent}/"):
                sets[line.parent].append(line)
        parts = {line.line for lines in sets.values() for line in lines}
        plain = [(line, units) for line, units in now.items() if line not in parts]
        sold = {line.line: line.quantity for line in self.order.lines}
        for name, lines in sets.items():
            after = before + Counter(now)
            complete = [min(left[one.line] * sold[name] // one.quantity for one in lines) for left in (before, after)]
            if complete[1] > complete[0]:
                plain.append((name, complete[1] - complete[0]))
        return plain


def shipped(story: Story, report: Report, words: Words, *, completes: bool) -> list[list[Intent]]:
    """What to say of one parcel: ways to say each part of it, the fullest first. Nothing where only parts of sets left.

    Raises `CannotTell`.
    """
    parcel, node = story.parcel_of(report), story.nodes.get(report.fulfilment or "", "")
    told = story.lines(story.units_of(report))
    ways: list[list[Intent]] = []
    for number, (work, quantities) in enumerate(told.items(), start=1):
        key = report.report if len(told) == 1 else f"{report.report}/{number}"
        ends = completes and number == len(told)
        # A channel that takes no lines at all may still hear that everything left.
        forms = [quantities, ()] if ends and len(told) == 1 else [quantities]
        ways.append(
            [
                Ship(
                    key=key,
                    external_id=story.order.external_id,
                    parcels=(words.parcel(parcel, form, node, report.happened_at_us),),
                    completes=ends,
                    fulfilment=work,
                )
                for form in forms
            ]
        )
    return ways


def shipped_whole(story: Story, leaving: Sequence[Report], words: Words, *, several: bool) -> list[list[Intent]]:
    """What to say of an order that left whole, of the channel's own works one by one; raises `CannotTell`.

    A channel that knows one parcel an order hears of the first.
    """
    parcels: dict[str | None, list[Parcel]] = defaultdict(list)
    for report in sorted(leaving, key=_when):
        parcel, node = story.parcel_of(report), story.nodes.get(report.fulfilment or "", "")
        for work in story.lines(parcel.quantities):
            parcels[work].append(words.parcel(parcel, (), node, report.happened_at_us))
    first = min(leaving, key=_when).report
    return [
        [
            Ship(
                key=first if len(parcels) == 1 else f"{first}/{number}",
                external_id=story.order.external_id,
                parcels=tuple(own if several else own[:1]),
                fulfilment=work,
            )
        ]
        for number, (work, own) in enumerate(parcels.items(), start=1)
    ]


def ready(story: Story, report: Report) -> list[list[Intent]]:
    """What to say of goods that wait for their buyer: all of the channel's work, or those lines of it."""
    ways: list[list[Intent]] = []
    told = story.lines(story.parcel_of(report).quantities)
    whole = story.lines((line.line, line.current_quantity) for line in story.order.fulfillable())
    for number, (work, lines) in enumerate(told.items(), start=1):
        key = report.report if len(told) == 1 else f"{report.report}/{number}"
        forms: list[Quantities] = [(), lines] if Counter(dict(lines)) == Counter(dict(whole.get(work, ()))) else [lines]
        ways.append(
            [
                ReadyForPickup(key=key, external_id=story.order.external_id, quantities=form, fulfilment=work)
                for form in forms
            ]
        )
    return ways


def acknowledged(story: Story, report: Report) -> list[list[Intent]]:
    """That we have the order and take it."""
    return [[Acknowledge(key=report.report, external_id=story.order.external_id)]]


def _when(report: Report) -> tuple[int, str, int]:
    head, _, number = report.report.rpartition("/")
    return report.happened_at_us, head, int(number) if number.isdigit() else 0
