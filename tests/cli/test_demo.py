"""The demo on the published baskets; reading them takes seconds, so one folder serves several tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omo_core.cli import main
from omo_core.demo import baskets
from tests.batch.shop import decisions
from tests.cli.conftest import Omo

WORDS = ["demo", "--orders", "60", "--reject-share", "0.2", "--json", "--out"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert main([*WORDS, str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_the_demo_flows_and_its_pool_is_sound(out: Path, omo: Omo) -> None:
    summary = json.loads((out / "summary.json").read_text())
    counts = json.loads((out / "preparation.json").read_text())
    methods = counts["baskets_by_method"]
    online = methods["ship"] + methods["pickup"] + methods["one_hour"]
    assert summary["totals"]["orders"] == online - counts["baskets_wholly_off_catalogue"] > 10
    assert summary["totals"]["counter_sales"] == methods["counter"]
    assert summary["filled"]["part"] > summary["nearest_only"]["part"]
    assert summary["preparation"][0]["count"] == counts["source"]["lines"]
    assert "Places are ours" in summary["subtitle"]
    waves = summary["waves"]
    totals = summary["totals"]
    assert totals["real_time_orders"] > 0
    assert totals["orders"] <= totals["real_time_orders"] + totals["wave_orders"]
    assert waves["deliveries"] >= totals["wave_orders"] > 0
    assert 0 < waves["lower_bound_minor"] <= waves["cost_minor"] <= waves["greedy_minor"]
    assert waves["cost_minor"] - waves["lower_bound_minor"] <= waves["cost_minor"] // 10
    assert omo("audit", "--database", f"sqlite:///{out / 'pool.db'}").code == 0


@pytest.mark.slow
def test_the_same_seed_makes_the_same_report_again(out: Path, omo: Omo) -> None:
    kept = {name: (out / name).read_bytes() for name in ("summary.json", "orders.jsonl", "rejected.csv")}
    before = decisions(f"sqlite:///{out / 'pool.db'}")
    assert omo(*WORDS, out).code == 0
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert decisions(f"sqlite:///{out / 'pool.db'}") == before


@pytest.mark.slow
@pytest.mark.postgres
def test_postgresql_decides_the_same_and_a_second_demo_does_nothing(out: Path, omo: Omo, postgres_url: str) -> None:
    words = [*WORDS, out.parent / "on-postgres", "--database", postgres_url]
    assert omo(*words).code == 0
    once = decisions(postgres_url)
    assert once == decisions(f"sqlite:///{out / 'pool.db'}")
    assert (out.parent / "on-postgres" / "summary.json").read_bytes() == (out / "summary.json").read_bytes()
    assert omo(*words).json["resumed_after"] > 0
    assert decisions(postgres_url) == once


def test_a_missing_package_is_named(omo: Omo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "find_spec", lambda _: None)
    said = omo("demo", "--out", tmp_path)
    assert said.code == 2
    assert said.err.count("\n") == 2 if "read baskets" in said.err else said.err.count("\n") == 1
    assert "pip install" in said.err


def test_too_many_baskets_are_refused(omo: Omo, tmp_path: Path) -> None:
    said = omo("demo", "--orders", "0", "--out", tmp_path / "new")
    assert (said.code, said.err) == (2, "omo: 0 baskets cannot be prepared; ask for 1 to 40000\n")
    assert not (tmp_path / "new").exists()
