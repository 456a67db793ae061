"""How long each adapter takes from the signed bytes of a typical order to the canonical order, beside `json.loads`."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Final

from benchmarks.channels_orders import DIALECTS, typical
from benchmarks.harness import Context
from omo_core.channels.registry import channel_names

SIZES: Final = {"smallest": (3, 40), "default": (15, 200), "all": (30, 400)}
"""Rounds, and orders a round."""


def measure(context: Context) -> None:
    """Read the order in every dialect; the ratio's worst is of those whose orders are JSON.

    Process time, ours and `json.loads` of the same bytes in turn, best of the rounds: both are single-threaded work
    that waits for nothing, and a busy machine would add to either what is not its own.
    """
    missing = set(channel_names()) - DIALECTS.keys()
    assert not missing, f"these adapters have no typical order: {sorted(missing)}"
    rounds, orders = SIZES[context.size]
    ratios = {}
    for name, dialect in DIALECTS.items():
        order = typical(name)
        bodies = order.bodies
        sides: dict[str, Callable[[], object]] = {"read": order.read}
        if dialect.json:
            sides["json"] = lambda bodies=bodies: [json.loads(body) for body in bodies]  # type: ignore[misc]
        best = {
            side: context.record(f"{name}: {side}", *seconds, clock="process", bytes=sum(map(len, bodies))).best_s
            for side, seconds in _in_turn(sides, rounds, orders).items()
        }
        context.figure(f"parse_{name}_us", best["read"] * 1_000_000)
        if dialect.json:
            ratios[name] = best["read"] / best["json"]
            context.figure(f"parse_{name}_vs_json", ratios[name])
    context.figure("parse_vs_json_worst", max(ratios.values()))


def _in_turn(sides: dict[str, Callable[[], object]], rounds: int, times: int) -> dict[str, list[float]]:
    """Process time of one call of each side, in every round."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    gc.collect()
    for number in range(rounds + 1):
        for side, work in sides.items():
            start = time.process_time()
            for _ in range(times):
                work()
            if number:  # the first warms up
                seconds[side].append((time.process_time() - start) / times)
    return seconds
