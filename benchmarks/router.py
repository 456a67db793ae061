"""How fast the router decides one order, and how much of what hindsight would save its prices win back."""

from __future__ import annotations

from benchmarks import router_realtime, router_speed
from benchmarks.harness import Context
from omo_core.allocation import warmup


def run(context: Context) -> None:
    """Speed first, then worth."""
    warmup()
    context.take({"speed": router_speed.measure, "worth": router_realtime.measure})
