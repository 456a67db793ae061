"""Spoilt messages for every built-in adapter, from the messages and documents of its own contract suite."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import tests.channels
from omo_core.testing.contracts import ChannelAdapterContract, assert_only_ours, assert_refused_in_a_sentence
from omo_core.testing.records import Outcome
from omo_core.testing.spoiling import spoilt_bodies, spoilt_messages

MOST_GROWTH_BYTES: Final = 64 * 1024 * 1024
"""Of the process from the first fifth of a round to its end: caches that are full by then, and no more."""


def suites() -> list[type[ChannelAdapterContract]]:
    """The contract suites of the adapters that are shipped, by name; not those of the toys that test the suite."""
    found = {}
    for module in pkgutil.iter_modules(tests.channels.__path__):
        if module.name.startswith("test_"):
            for value in vars(importlib.import_module(f"tests.channels.{module.name}")).values():
                if isinstance(value, type) and issubclass(value, ChannelAdapterContract) and hasattr(value, "adapter"):
                    shipped = type(value.adapter).__module__.startswith("omo_core.channels.")
                    if shipped:
                        found[f"{value.__module__}.{value.__name__}"] = value
    return [found[name] for name in sorted(found)]


def fuzz_channels(seed: int, count: int) -> Outcome:
    """About so many spoilt inputs, in turn for every suite: read, or refused in a sentence, and memory stays flat."""
    outcome = Outcome()
    every = suites()
    kinds = sum(1 + bool(suite.messages) + bool(suite.refunds) for suite in every)
    each = max(1, count // (kinds * 5))
    before = 0
    for part in range(5):
        for suite in every:
            name = f"{suite.__module__.rpartition('.')[2]}.{suite.__name__}"
            for call, arguments in _inputs(suite, each, seed * 5 + part):
                outcome.counts["inputs"] += call is assert_refused_in_a_sentence
                try:
                    call(*arguments)
                except Exception:  # noqa: BLE001  whatever came out, it is no refusal
                    outcome.violations.append(f"{name}, {arguments[-1]!r}:\n{traceback.format_exc(limit=-4)}"[:4_000])
        before = before or _bytes_of_process()
        if outcome.violations:
            break
    grown = _bytes_of_process() - before
    if grown > MOST_GROWTH_BYTES:
        outcome.violations.append(f"the process grew by {grown:,} bytes")
    return outcome


def _inputs(
    suite: type[ChannelAdapterContract], count: int, seed: int
) -> Iterator[tuple[Callable[..., None], tuple[object, ...]]]:
    adapter = suite.adapter
    single = [bodies[0] for bodies in suite.documents] or [body for _, body in suite.messages]
    for headers, body in spoilt_messages(suite.messages, count, seed):
        yield assert_only_ours, (adapter.verify, headers, body)
        yield assert_refused_in_a_sentence, (adapter.parse_event, headers, body)
    for body in spoilt_bodies(single, count, seed):
        yield assert_refused_in_a_sentence, (adapter.parse_order, body)
    for body in spoilt_bodies(suite.refunds, count, seed):
        yield assert_refused_in_a_sentence, (adapter.parse_refund, body)


def _bytes_of_process() -> int:
    """What the process holds in memory now; 0 where the system does not say."""
    gc.collect()
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0
