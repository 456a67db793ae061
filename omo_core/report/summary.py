"""What a run's report shows, as one frozen value: everything but the clock, so that the same run gives the same page."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from omo_core.model.values import Count, Currency, GeoPoint, Identifier, Minor, NodeId, Text, Value

Tally = Annotated[int, Field(ge=0, le=10**15)]
"""How many of something over a whole run."""


UNSERVED: Final = "unserved"
"""Name of the cost term that prices units no node can serve."""


class Share(Value):
    """A part of a whole, both counted in the same thing; an empty whole has no percentage."""

    part: Tally
    whole: Tally

    @model_validator(mode="after")
    def _part_is_within(self) -> Self:
        if self.part > self.whole:
            raise ValueError("part cannot exceed whole; count both in the same thing")
        return self

    @property
    def percent(self) -> float | None:
        """The share in percent, or None of an empty whole."""
        return 100 * self.part / self.whole if self.whole else None


class Totals(Value):
    """The headline counts. Lines and units are those of online orders; counter sales are counted apart."""

    orders: Tally
    """Orders placed, whatever became of them."""
    lines: Tally
    """Fulfillable lines of those orders."""
    units: Tally
    """Units of those lines."""
    units_assigned: Tally
    """Units that ended in a live or finished fulfilment order."""
    fulfilment_orders: Tally
    """Fulfilment orders that were not rejected or cancelled."""
    splits: Tally
    """Over orders served by k nodes, the sum of k − 1."""
    rejected: Tally
    """Fulfilment orders that a node rejected."""
    resourced: Tally
    """Rejected ones whose units all found another node."""
    counter_sales: Tally = 0
    counter_lines: Tally = 0
    displaced_units: Tally = 0
    """Promised units that a counter sale took away first."""
    shortage_units: Tally = 0
    """Units sold over a counter that the book did not know."""
    real_time_orders: Tally = 0
    """Orders of which a delivery was decided by the real-time router, as it came."""
    wave_orders: Tally = 0
    """Orders of which a delivery was decided in a wave; one that was decided again may be both."""


class KindShare(Value):
    """Units assigned to nodes of one kind, by the kind's name (`NodeKind` or a newer word)."""

    kind: Identifier
    units: Tally
    fulfilment_orders: Tally


class ChannelCount(Value):
    """What came through one channel."""

    channel: Identifier
    dialect: Identifier | None = None
    """The adapter that read its messages; None for documents of the run's own files."""
    orders: Tally = 0
    counter_sales: Tally = 0


class SplitCount(Value):
    """How many orders are served by exactly so many nodes; 0 nodes are orders that nothing could serve."""

    nodes: Count
    orders: Tally


class CostTerm(Value):
    """One named term of the sourcing cost, in minor units of the run's currency."""

    term: Identifier
    minor: Minor


class NodeLoad(Value):
    """One node and the work it was given."""

    node: NodeId
    name: Text | None = None
    kind: Identifier
    point: GeoPoint | None = None
    region: Text | None = None
    """The node's own region, such as its metropolitan area; nodes of one region are drawn on one detail map."""
    units: Tally
    """Units assigned and not rejected."""
    fulfilment_orders: Tally
    """Not rejected ones."""
    rejected: Tally = 0
    """Fulfilment orders it rejected."""


class Flow(Value):
    """Units that one node sends to (or hands over in) one region.

    `region` is that of the buyer: the `region` of the node picked up at, otherwise of the nearest node with a region.
    A region that no node bears is left off the map.
    """

    node: NodeId
    region: Text
    units: Tally


class RunnerUp(Value):
    """A node that could have served the part, or why it could not."""

    node: NodeId
    more_minor: Minor | None = None
    """By how much the order would have cost more; None where the node was not eligible."""
    reason: Text


class WhyPart(Value):
    """One node's part of a sampled order."""

    node: NodeId
    lines: Tally
    units: Tally
    sentence: Text
    """Why this node, as stored with the fulfilment order."""
    runners_up: tuple[RunnerUp, ...] = ()


class WhySample(Value):
    """One order of the sample that the page explains."""

    order: Identifier
    """The id a reader can look up: the channel's own."""
    channel: Identifier
    method: Identifier
    destination: Text | None = None
    """Where it goes, such as the city; None where the order does not say."""
    lines: Tally
    units: Tally
    cost_by_term: tuple[CostTerm, ...] = ()
    """What sourcing this order cost."""
    parts: tuple[WhyPart, ...] = ()
    shortfall: Text | None = None
    """What could not be served and why."""


class WaveTotals(Value):
    """The waves in which orders were decided together, and what was proven about them.

    Costs are those of the plans as they were solved: an order that was solved again counts again.
    """

    waves: Tally
    """Runs of the solver that proved a bound."""
    optimal: Tally
    """Those whose plan was proven the best there is."""
    deliveries: Tally
    cost_minor: Minor
    lower_bound_minor: Minor
    """Sum of what each run proved that no plan could cost less than, over all nodes."""
    greedy_minor: Minor | None = None
    """Sum of what deciding the same orders one after the other would have cost; None: not known of every run."""

    @property
    def gap_percent(self) -> float:
        """How much dearer than the best the plans are at most, in percent of their cost."""
        return 100 * (self.cost_minor - self.lower_bound_minor) / max(self.cost_minor, 1)


class PreparationCount(Value):
    """One count of how the input was prepared, in the order in which it happened."""

    what: Text
    reason: Text
    count: Tally
    of: Tally | None = None
    """The whole it is a part of, where that says something."""


class RejectedRow(Value):
    """One input row that was not used."""

    file: Text
    line: Annotated[int, Field(ge=1)]
    """Counted from 1, as editors do."""
    code: Identifier
    sentence: Text


class AuditCheck(Value):
    """One invariant: over how many rows it was checked, and how many break it."""

    name: Text
    checked: Tally
    broken: Tally


class NodeWork(Value):
    """What a policy gives one node to do."""

    node: NodeId
    parcels: Tally
    units: Tally


class PolicyOutcome(Value):
    """One policy's figures."""

    name: Text
    policy_sha256: Text
    own_cost_by_term: tuple[CostTerm, ...]
    """At the policy's own prices."""
    cost_by_term: tuple[CostTerm, ...]
    """At the prices of the first policy, so that policies compare."""
    orders: Tally
    orders_served: Tally
    orders_split: Tally
    splits: Tally
    units: Tally
    units_served: Tally
    lines: Tally
    lines_in_full: Tally
    parcels: Tally
    parcel_m: Tally
    parcels_unplaced: Tally
    late_parcels: Tally
    displaced_units: Tally
    loads: tuple[NodeWork, ...]

    @property
    def cost_minor(self) -> int:
        """The whole cost, with the price of units not served."""
        return sum(term.minor for term in self.cost_by_term)

    @property
    def served_minor(self) -> int:
        """What serving costs: every term but the price of units not served, which nobody pays."""
        return sum(term.minor for term in self.cost_by_term if term.term != UNSERVED)

    @property
    def busiest(self) -> NodeWork | None:
        """The node with the most parcels."""
        return max(self.loads, key=lambda one: (one.parcels, one.units, one.node), default=None)


class WhatIfSummary(Value):
    """A period under several policies; the first is what the others are compared with."""

    version: Literal[1] = 1
    title: Text = "What other policies would have decided"
    currency: Currency
    since: Text
    until: Text
    waves: Tally
    orders: Tally
    solver: Identifier
    policies: tuple[PolicyOutcome, ...] = Field(min_length=1)
    assumptions: tuple[Text, ...] = ()


class RunSummary(Value):
    """A run without its timings: two runs of the same input and seed have equal summaries."""

    version: Literal[1] = 1
    title: Text
    subtitle: Text | None = None
    """What went in, such as the baskets, the period and the seed."""
    currency: Currency
    """Of every amount here."""
    totals: Totals
    filled: Share
    """Lines served in full, of the fulfillable lines."""
    nearest_only: Share | None = None
    """The same if every order had only its nearest store, on the same stock and clock; None: not computed."""
    cost_by_term: tuple[CostTerm, ...] = ()
    """The whole run's sourcing cost; the terms add up to it."""
    waves: WaveTotals | None = None
    """None where no run of the solver proved a bound."""
    served_by_kind: tuple[KindShare, ...] = ()
    splits: tuple[SplitCount, ...] = ()
    channels: tuple[ChannelCount, ...] = ()
    """Every channel that something came through, the busiest first."""
    nodes: tuple[NodeLoad, ...] = ()
    """Every node of the network, also those without work."""
    flows: tuple[Flow, ...] = ()
    why: tuple[WhySample, ...] = ()
    preparation: tuple[PreparationCount, ...] = ()
    rejected_rows: tuple[RejectedRow, ...] = ()
    """The first ones, as many as the page should list."""
    rejected_rows_total: Tally = 0
    audit: tuple[AuditCheck, ...] = ()
    what_if: WhatIfSummary | None = None
    """The run's period under other policies; None: not computed."""
    attribution: tuple[Text, ...] = ()
    """Sources of the data and what is not theirs, one sentence each."""

    @property
    def cost_minor(self) -> int:
        """The whole sourcing cost, with the price that the policy puts on units not served."""
        return sum(term.minor for term in self.cost_by_term)

    @property
    def served_cost_minor(self) -> int:
        """What serving costs: every term but the price of units not served, which nobody pays."""
        return sum(term.minor for term in self.cost_by_term if term.term != UNSERVED)


class Stage(Value):
    """How long one stage of the run took; belongs to the machine, not to the run."""

    name: Text
    items: Tally
    """What it worked through, such as messages or orders."""
    unit: Text = "orders"
    duration_us: Tally

    @property
    def per_second(self) -> float | None:
        """Items a second; None where no time was measured."""
        return self.items * 1_000_000 / self.duration_us if self.duration_us else None
