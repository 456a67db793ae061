"""How many extra parcels a re-evaluation removes from a peak day's unpicked orders, of those that certainly could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.harness import Context, seconds_of
from benchmarks.peak_wave import PARCEL_MINOR, PeakWave, Taken, fewest, nearest, parcels, peak_wave, units_by_order
from omo_core.allocation import AllocationProblem, OrderDemand, Plan, verify_plan
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.prices import PRICE_PER_MINOR
from omo_core.allocation.reassignment import Reassignment, reassign, standing_in

SIZES = {"smallest": 1_500, "default": 10_000, "all": 10_000}
"""Baskets of the flow."""
GROWTH_PERMILLE = 50


@dataclass(frozen=True)
class Outcome:
    """One baseline and what became of it; extra parcels are parcels less orders."""

    extra: int
    left: int
    proven: int
    """No plan that serves the same lines has fewer extra parcels."""
    km_ratio: float

    @property
    def removed(self) -> float:
        """Share of the extra parcels."""
        return (self.extra - self.left) / max(self.extra, 1)

    @property
    def removable(self) -> float:
        """Most that could be removed, as far as is proven."""
        return (self.extra - self.proven) / max(self.extra, 1)


def run(context: Context) -> None:
    """Re-evaluate what the nearest-node rule and fewest nodes per order leave, and prove how much could be removed."""
    wave = peak_wave(SIZES[context.size])
    context.figure("orders", len(wave.demands))
    context.figure("one_hour_orders_gone", wave.one_hour)
    start = wave.problem(parcels())
    by_nearest = improve(context, "nearest", wave, start, nearest(start))
    by_fewest = improve(context, "fewest", wave, *fewest(wave))
    for name, one in (("nearest", by_nearest), ("fewest", by_fewest)):
        context.figure(f"extra_{name}", one.extra)
        context.figure(f"extra_{name}_left", one.left)
        context.figure(f"extra_{name}_proven", one.proven)
        context.figure(f"extra_removable_vs_{name}", one.removable)
        context.figure(f"extra_removed_vs_{name}", one.removed)
        context.figure(f"parcel_km_vs_{name}", one.km_ratio)
    # A short flow may leave nothing that could be removed, and then all of it is.
    certified = by_fewest.removed / by_fewest.removable if by_fewest.removable else 1.0
    context.figure("extra_removed_of_certified", certified)


def improve(context: Context, name: str, wave: PeakWave, problem: AllocationProblem, taken: Taken) -> Outcome:
    """Re-evaluate one baseline: what it promised is what is wanted, and its own goods are free."""
    standing = units_by_order(problem, taken)
    promised = [
        replace(demand, lines=tuple(line for line in demand.lines if any(line.sku == sku for sku, _ in own)))
        for demand, own in zip(wave.demands, standing, strict=True)
        if own
    ]
    units = [own for own in standing if own]
    found: list[Reassignment] = []
    seconds = seconds_of(lambda: found.append(_reassigned(wave, promised, units, context.seed)))
    context.record(f"re-evaluation of {name}", seconds, orders=len(promised), lines=sum(map(len, units)))
    (better,) = found
    assert better.movable == len(promised)
    for plan in (better.before, better.after):
        assert not plan.accounts.missing.any(), "a promised line was dropped"
        assert plan.violations() == []
    document = better.after.to_document()
    assert verify_plan(wave.network, promised, wave.stock, parcels(), document) == []
    before, after = _parcels_and_metres(better.before), _parcels_and_metres(better.after)
    assert after[1] * 1000 <= before[1] * (1000 + GROWTH_PERMILLE)
    return Outcome(
        before[0] - len(promised),
        after[0] - len(promised),
        proven_parcels(wave, promised) - len(promised),
        after[1] / before[1],
    )


def _reassigned(
    wave: PeakWave, promised: Sequence[OrderDemand], units: Sequence[Mapping[tuple[str, str], int]], seed: int
) -> Reassignment:
    standing = standing_in(wave.problem(parcels(), promised), units)
    return reassign(standing, growth_permille=GROWTH_PERMILLE, seed=seed)


def proven_parcels(wave: PeakWave, promised: Sequence[OrderDemand]) -> int:
    """A lower bound of the parcels that serve every line, over all nodes: the dual where only parcels have a price."""
    dual = solve_dual(wave.problem(parcels(km_minor=0), promised), iterations=150, step=0.3, decay=0.98)
    return -(-dual.bound // (PRICE_PER_MINOR * PARCEL_MINOR))


def _parcels_and_metres(plan: Plan) -> tuple[int, int]:
    used = plan.accounts.used
    return int(used.size), int(plan.problem.distance_m[used].sum())
