"""The soak's spoilt messages: every adapter that is shipped, and whatever is no refusal is a violation."""

from __future__ import annotations

import pytest

from omo_core.channels.registry import adapter, channel_names
from omo_core.testing.contracts import ChannelAdapterContract
from tools import fuzz_channels

pytestmark = pytest.mark.slow


def test_every_adapter_is_fuzzed() -> None:
    fuzzed = {type(suite.adapter) for suite in fuzz_channels.suites()}
    assert {type(adapter(name)) for name in channel_names()} <= fuzzed


def test_a_round_reads_or_refuses() -> None:
    outcome = fuzz_channels.fuzz_channels(seed=1, count=2_000)
    assert outcome.violations == []
    assert outcome.counts["inputs"] >= 2_000


def test_what_is_no_refusal_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyError("a defect")

    suite: type[ChannelAdapterContract] = fuzz_channels.suites()[0]
    monkeypatch.setattr(fuzz_channels, "suites", lambda: [suite])
    monkeypatch.setattr(type(suite.adapter), "parse_order", crash)
    violations = fuzz_channels.fuzz_channels(seed=1, count=20).violations
    assert violations
    assert "a defect" in violations[0]


def test_a_process_that_grows_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter((1, fuzz_channels.MOST_GROWTH_BYTES + 2))
    monkeypatch.setattr(fuzz_channels, "_bytes_of_process", lambda: next(sizes))
    (violation,) = fuzz_channels.fuzz_channels(seed=1, count=10).violations
    assert "grew" in violation
