"""How long the full audit of a long ledger takes, and whether the pool is slower behind one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any

from benchmarks.harness import Context
from benchmarks.reservations_ledger import load_shop, patient, require_sound
from benchmarks.reservations_ours import CALLERS, OURS, Combined
from benchmarks.reservations_sites import Site
from benchmarks.reservations_workloads import Request, requests
from omo_core import OrderHub
from omo_core.storage.database import Database


def time_audit(context: Context, site: Site, rows: int, orders_a_row: int, rounds: int) -> tuple[float, int]:
    """Median seconds of `omo audit` over a loaded ledger in which it finds nothing, and the number of its postings."""
    url = site.empty("audited")
    with Database.open(url) as database:
        postings = load_shop(database, rows, orders_a_row)
    label = f"{site.engine} audit"
    with OrderHub.open(url) as hub, patient(hub.database):
        context.in_turn({label: partial(_audited, hub, postings)}, rounds=rounds)
    site.drop("audited")
    return context.timings[label].median_s, postings


def _audited(hub: OrderHub, postings: int) -> Mapping[str, Any]:
    start = time.perf_counter()
    report = hub.audit()
    seconds = time.perf_counter() - start
    assert report.clean, f"the audit found {report.findings[:3]}"
    assert report.counted["omo_posting"] == postings, "the ledger is not as long as it should be"
    return {"seconds": seconds, **report.counted}


def compare_ledgers(
    context: Context, site: Site, rows: int, orders_a_row: int, *, rounds: int, seconds: float
) -> dict[str, float]:
    """Median throughput over the same rows behind their receipts only (`empty`) and behind a long ledger (`full`).

    The rounds take turns. The long ledger is audited whole before anything is measured on it.
    """
    hubs: dict[str, OrderHub] = {}
    postings: dict[str, int] = {}
    with ExitStack() as opened:
        for name, orders in {"empty": 0, "full": orders_a_row}.items():
            database = Database.open(site.empty(f"ledger_{name}"))
            hubs[name] = opened.enter_context(OrderHub(database))
            postings[name] = load_shop(database, rows, orders)
            with patient(database):
                require_sound(database)
        labels = {name: f"{site.engine} {name} ledger" for name in hubs}
        asked = partial(requests, "spread", rows, hot=0, seed=context.seed)
        sides = {
            labels[name]: partial(_serve, Combined(hub), asked, {"postings": postings[name]}, seconds)
            for name, hub in hubs.items()
        }
        found = context.in_turn(sides, rounds=rounds)
    return {name: median(facts["throughput_s"] for facts in found[label]) for name, label in labels.items()}


def _serve(
    ours: Combined, asked: Callable[..., Iterator[Request]], facts: Mapping[str, Any], seconds: float
) -> Mapping[str, Any]:
    shape = {"method": OURS, "workload": "spread", "callers": CALLERS, **facts}
    return {**shape, **ours.serve(asked(run=f"run-{ours.commits}"), CALLERS, seconds)}
