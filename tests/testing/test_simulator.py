"""The fault simulator: it repeats itself byte for byte, and a sound pool comes through it."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from typing import get_args

import pytest

from omo_core.model.errors import InvalidInput
from omo_core.model.stock_commands import StockCommand
from omo_core.testing import simulator_run
from omo_core.testing.pool_model_verbs import VERBS
from omo_core.testing.simulator import Report, main, simulate, soak
from omo_core.testing.simulator_commands import MAKERS
from omo_core.testing.simulator_faults import NAMES, chosen
from omo_core.testing.simulator_run import TEMPERS, Settings

LONG_RUNS = 20
OPERATIONS = 1_000
"""20 tests of 5 seeds with 1,000 commands each: 100,000 in all."""
LEAST_FAULTS = 250
"""In the five seeds of a test, whose tempers differ: 5,000 in all."""


NOT_SIMULATED = {"SetQuota", "DropQuota", "SetCapacity", "ReleaseSlots", "FinishSlots"} | {
    *("SetBackorderCap", "PlaceBackorders", "ReleaseBackorders", "ConvertBackorders"),
}
"""Verbs of quotas, capacity and backorders, which the pure model does not know; tests/inventory has their tests."""


def expect_none(report: Report) -> None:
    assert not report.violations, f"{report.violations}\nrun it again with: {report.replay}"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(2, 400),
        pytest.param(Settings(3, 400, combined=True), marks=pytest.mark.slow),
        pytest.param(Settings(4, 400, in_file=True), marks=pytest.mark.slow),
    ],
)
def test_a_pool_under_fire_keeps_its_promises(settings: Settings) -> None:
    report = simulate(settings)
    expect_none(report)
    assert report.commands == 400
    assert report.faults > 10


@pytest.mark.slow
@pytest.mark.parametrize("run", range(LONG_RUNS))
def test_a_hundred_thousand_operations(run: int) -> None:
    in_file, combined = run % 5 == 3, run % 5 == 1
    first = 1_000 + run * len(TEMPERS)
    reports = [
        simulate(Settings(seed, OPERATIONS, in_file=in_file, combined=combined))
        for seed in range(first, first + len(TEMPERS))
    ]
    for report in reports:
        expect_none(report)
    assert sum(report.operations for report in reports) >= OPERATIONS * len(TEMPERS)
    assert sum(report.faults for report in reports) >= LEAST_FAULTS
    assert {name for report in reports for name in report.faults_by_name} == set(NAMES), "every kind of fault struck"
    outcomes = {outcome for report in reports for outcome in report.outcomes}
    assert {f"{maker.__name__}: applied" for maker in MAKERS} <= outcomes, "every verb was applied"


def test_the_model_knows_every_verb_that_clients_send_and_nearly_all_that_there_are() -> None:
    known = {kind.__name__ for kind in VERBS}
    assert known == {inspect.signature(maker, eval_str=True).return_annotation.__name__ for maker in MAKERS}
    assert {kind.__name__ for kind in get_args(StockCommand)} - known == NOT_SIMULATED


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_wherever_the_database_is() -> None:
    report = simulate(Settings(11, 150))
    assert simulate(Settings(11, 150)) == report
    assert simulate(Settings(11, 150, in_file=True)).digest == report.digest
    assert simulate(Settings(12, 150)).digest != report.digest


@pytest.mark.slow
def test_the_combiner_is_simulated_the_same_way_each_time() -> None:
    assert simulate(Settings(13, 150, combined=True)) == simulate(Settings(13, 150, combined=True))


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    command = [sys.executable, "-m", "omo_core.testing.simulator", "--seed", "14", "--operations", "150", "--json"]
    outputs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["digest"] == simulate(Settings(14, 150)).digest


def test_a_calm_run_has_no_faults_and_every_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "5", "--operations", "200", "--faults", "none", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["faults"], report["violations"]) == (0, [])
    assert report["replay"].endswith("--seed 5 --operations 200 --faults none --exact")


@pytest.mark.slow
def test_faults_can_be_chosen_by_name() -> None:
    report = simulate(Settings(6, 300, chosen(["deadlock", "crash_after"])))
    expect_none(report)
    assert set(report.faults_by_name) == {"deadlock", "crash_after"}
    with pytest.raises(InvalidInput, match="no fault is called earthquake"):
        chosen(["earthquake"])


def test_a_soak_goes_from_seed_to_seed_until_its_time_is_over() -> None:
    minute_us = 60_000_000
    clock = iter(range(0, 100 * minute_us, minute_us // 4))
    reports: list[Report] = []
    progress = list(soak(1.0, 20, reports.append, operations=60, now_us=lambda: next(clock)))
    assert [report.seed for report in reports] == [20, 21]
    assert [sums["seed"] for sums in progress] == [21, 22]
    assert progress[-1]["operations"] == sum(report.operations for report in reports)
    assert progress[-1]["faults"] == sum(report.faults for report in reports)
    assert progress[-1]["violations"] == 0
    assert ["--combined" in report.replay for report in reports] == [False, True]


@pytest.mark.slow
def test_clients_who_ask_again_faster_than_they_are_served_are_all_answered_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulator_run, "LARGEST_BATCH", 2)
    monkeypatch.setattr(simulator_run, "_TOO_LONG_ROUNDS", 80)
    expect_none(simulate(Settings(16, 400)))
