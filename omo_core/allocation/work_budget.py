"""How much work a wave may take: the same budget gives the same plan on any machine."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from omo_core.model.values import Value


class WorkBudget(Value):
    """The work of each stage of `solve_wave`, in steps that do not depend on the machine."""

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 120
    """Of the prices' ascent; four times as many for a wave of few orders, where they cost next to nothing."""
    step: Annotated[float, Field(gt=0.0, le=1_000.0)] = 0.12
    """How far a price moves at first, in what a shipment with one unit costs. Where goods are scarce a price must come
    near what not serving costs: with few iterations only long steps get there."""
    decay: Annotated[float, Field(gt=0.0, le=1.0)] = 0.97
    """How much of a step the next one is; slower where there are more than 120 iterations."""
    trials_per_order: Annotated[float, Field(ge=0.0, le=1_000.0)] = 5.0
    """Of ruin and recreate."""
    window_passes: Annotated[int, Field(ge=0, le=100)] = 1
    """At most; each decides all contested orders once more, in windows by integer programming. One in vain is the last."""
    window_orders: Annotated[int, Field(ge=2, le=100_000)] = 2_500
    """Orders decided together. Larger windows gain more; some of 5,000 took over a minute, of 2,500 seconds."""
    reach: Annotated[float, Field(gt=0.0, le=10.0)] = 0.02
    """How much dearer than an order's cheapest way at the prices a way may be to count in a window, as a share of what
    an order costs on average."""
    window_search_nodes: Annotated[int, Field(ge=1, le=1_000_000_000)] = 200
    """Of the tree of each window's integer program."""
    gap_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """The search ends as soon as that many millionths of its plan's cost are all that a better one could save, as far
    as is proven; 0: as soon as nothing could."""

    @model_serializer(mode="wrap")
    def _leaves_out_no_gap(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that a policy of before keeps its digest."""
        document: dict[str, Any] = plain(self)
        if not self.gap_ppm:
            document.pop("gap_ppm", None)
        return document

    @classmethod
    def brief(cls) -> Self:
        """Milliseconds for some dozens of orders: few long steps of the prices, one trial for two orders."""
        return cls(iterations=5, step=6.0, decay=0.8, trials_per_order=0.5, window_passes=0)

    @classmethod
    def quick(cls) -> Self:
        """Few steps of everything, no windows."""
        return cls(iterations=80, trials_per_order=1.0, window_passes=0)

    @classmethod
    def standard(cls) -> Self:
        """The defaults: one pass of windows."""
        return cls()

    @classmethod
    def thorough(cls) -> Self:
        """Longer prices and trials, and eight passes of windows, each cut in another way."""
        return cls(iterations=160, trials_per_order=10.0, window_passes=8, window_orders=5_000)


NAMED: Final = ("brief", "quick", "standard", "thorough")
"""Budgets that a policy may name."""


def work_of(work: Any) -> Any:
    """The budget of that name; what is no text is left for the reader of the fields. Raises `ValueError`."""
    if not isinstance(work, str):
        return work
    if work not in NAMED:
        raise ValueError(f"there is no work named {work!r}; use one of {', '.join(NAMED)}, or write its steps")
    budget: WorkBudget = getattr(WorkBudget, work)()
    return budget
