"""How long each adapter takes from the signed bytes of a typical order to the canonical order, beside `json.loads`."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Final

from benchmarks.channels_orders import DIALECTS, Typical, lean, typical
from benchmarks.harness import Context
from omo_core.channels.registry import channel_names

SIZES: Final = {"smallest": (3, 40), "default": (15, 200), "all": (30, 400)}
"""Rounds, and orders a round."""


def measure(context: Context) -> None:
    """Read the order in every dialect; the ratio's worst is of those whose orders are JSON.

    The order is typical: it has the other fields that its platform sends. `parse_<name>_lean_vs_json` is the same order
    with only the fields that are read, as our own writer writes it; no platform sends it like that.
    """
    missing = set(channel_names()) - DIALECTS.keys()
    assert not missing, f"these adapters have no typical order: {sorted(missing)}"
    ratios = {}
    for name, dialect in DIALECTS.items():
        read_s, ratio = _measured(context, name, typical(name), json_beside=dialect.json)
        context.figure(f"parse_{name}_us", read_s * 1_000_000)
        if ratio is not None:
            ratios[name] = ratio
            context.figure(f"parse_{name}_vs_json", ratio)
            _, bare = _measured(context, f"{name}_lean", lean(name), json_beside=True)
            assert bare is not None
            context.figure(f"parse_{name}_lean_vs_json", bare)
    context.figure("parse_vs_json_worst", max(ratios.values()))


def _measured(context: Context, name: str, order: Typical, *, json_beside: bool) -> tuple[float, float | None]:
    """Seconds of one reading, and how many times `json.loads` of the same bytes that is.

    Process time, ours and `json.loads` in turn, best of the rounds: both are single-threaded work that waits for
    nothing, and a busy machine would add to either what is not its own.
    """
    rounds, orders = SIZES[context.size]
    bodies = order.bodies
    sides: dict[str, Callable[[], object]] = {"read": order.read}
    if json_beside:
        sides["json"] = lambda: [json.loads(body) for body in bodies]
    best = {
        side: context.record(f"{name}: {side}", *seconds, clock="process", bytes=sum(map(len, bodies))).best_s
        for side, seconds in _in_turn(sides, rounds, orders).items()
    }
    return best["read"], best["read"] / best["json"] if json_beside else None


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
