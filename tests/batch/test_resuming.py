from __future__ import annotations

from pathlib import Path

import pytest

from omo_core.batch.run import Run, RunOptions
from tests.batch.shop import Shop, busy_day, decisions, network, order, sale

OPTIONS = RunOptions(window=7, step_s=600, reject_share=0.3, seed=4)


class Stop:
    """Presses Ctrl-C when so many windows are through."""

    def __init__(self, windows: int) -> None:
        self._left = windows

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == "flow" and done:
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("undisturbed"))
    shop.write_orders(spoilt_day())
    shop.run(options=OPTIONS)
    return shop


def spoilt_day() -> list[dict[str, object] | str]:
    """A day with a row in each of several windows that cannot be used, and an order that is changed later."""
    day: list[dict[str, object] | str] = [*busy_day()]
    for place in (2, 20, 44):
        day.insert(place, order(f"spoilt {place}", quantity=0))
    changed = order(24, quantity=3)
    day.insert(26, changed | {"source_version": 2**62})
    day.insert(40, '{"headers": 1, "body": 2}')
    return day


@pytest.mark.parametrize(
    "windows", [pytest.param(1, marks=pytest.mark.slow), 4, pytest.param(9, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_ends_as_one_that_was_not(windows: int, undisturbed: Shop, shop: Shop) -> None:
    shop.write_orders(spoilt_day())
    with pytest.raises(KeyboardInterrupt):
        shop.run(options=OPTIONS, progress=Stop(windows))
    resumed = shop.run(options=OPTIONS)
    assert resumed.log.resumed_after == min(windows * 7, 65)
    assert decisions(shop.database) == decisions(undisturbed.database)
    for name in ("summary.json", "rejected.csv"):
        assert (shop.folder / "out" / name).read_bytes() == (undisturbed.folder / "out" / name).read_bytes()


def test_what_the_router_decides_is_the_same_after_an_interruption(tmp_path: Path, shop: Shop) -> None:
    """A new process has the last wave's prices from the pool."""
    (tmp_path / "whole").mkdir()
    whole = Shop(tmp_path / "whole")
    for one in (whole, shop):
        solver = {"method": "wave", "work": "brief", "route": ["one_hour"]}
        one.write_network(network() | {"policy": {"solver": solver}})
        one.write_orders(spoilt_day())
    whole.run(options=OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        shop.run(options=OPTIONS, progress=Stop(4))
    outcome = shop.run(options=OPTIONS)
    assert decisions(shop.database) == decisions(whole.database)
    assert outcome.summary.totals.real_time_orders > 5
    assert (shop.folder / "out" / "summary.json").read_bytes() == (whole.folder / "out" / "summary.json").read_bytes()


def test_something_was_there_to_be_disturbed(undisturbed: Shop) -> None:
    made = decisions(undisturbed.database)
    states = {row[6] for row in made["served"]}
    assert {"rejected", "shipped", "collected"} <= states
    assert [line for _, line, _ in undisturbed.rejected()] == [3, 21, 41, 47]


@pytest.mark.slow
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_window_cut_in_the_middle_is_done_again_once(
    call: int, undisturbed: Shop, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C right after a commit: the goods are sold or held, and the bookmark does not know it yet."""
    shop.write_orders(spoilt_day())
    name = ("_count_sales", "_count_orders", "_count_answers")[call - 1]
    really, calls = getattr(Run, name), iter(range(1, 1_000))

    def cut(*args: object) -> object:
        if next(calls) == call + 3:
            raise KeyboardInterrupt
        return really(*args)

    with monkeypatch.context() as patched:
        patched.setattr(Run, name, cut)
        with pytest.raises(KeyboardInterrupt):
            shop.run(options=OPTIONS)
    shop.run(options=OPTIONS)
    assert decisions(shop.database) == decisions(undisturbed.database)
    assert shop.rejected() == undisturbed.rejected()


@pytest.mark.slow
def test_the_third_run_does_nothing(undisturbed: Shop, shop: Shop) -> None:
    shop.write_orders(spoilt_day())
    shop.run(options=OPTIONS)
    before = decisions(shop.database)
    summary = (shop.folder / "out" / "summary.json").read_bytes()
    again = shop.run(options=OPTIONS)
    assert again.log.counts["messages"] == again.log.counts["orders"] == 0
    assert again.log.resumed_after == 65
    assert decisions(shop.database) == before
    assert (shop.folder / "out" / "summary.json").read_bytes() == summary


@pytest.mark.slow
def test_what_the_network_did_not_know_comes_in_once_it_does(shop: Shop) -> None:
    shop.write_network(network(skus=["MUG"]))
    day = [order(1), order(2, sku="CUP"), sale(3, sku="CUP")]
    shop.write_orders(day)
    shop.run()
    assert shop.rejected() == [
        ("stock.csv", 5, "unknown_sku"),
        ("stock.csv", 6, "unknown_sku"),
        ("orders.jsonl", 2, "unknown_sku"),
        ("orders.jsonl", 3, "unknown_sku"),
    ]
    shop.write_network(network())
    outcome = shop.run()
    assert shop.rejected() == []
    assert outcome.summary.totals.orders == 2
    once = Shop(_fresh(shop.folder / "once"))
    once.write_orders(day)
    once.run()
    assert decisions(shop.database)["levels"] == decisions(once.database)["levels"]


def test_a_corrected_column_mapping_reads_the_same_file_again(shop: Shop) -> None:
    shop.orders = "orders.csv"
    rows = [("A1", "2026-03-02T09:00:00Z", "MUG", "Tasse", 1)]
    shop.write_csv("orders.csv", rows, ("external_id", "placed_at", "sku", "title", "quantity"))
    shop.columns = {"orders.sku": "title"}
    shop.run()
    assert shop.rejected() == [("orders.csv", 2, "unknown_sku")]
    shop.columns = {}
    assert shop.run().summary.totals.orders == 1
    assert shop.rejected() == []


def test_a_corrected_stock_list_adds_what_it_lacked_and_no_more(shop: Shop) -> None:
    """A user corrects the row that was rejected and runs the same command again; goods must not double."""
    shop.write_orders([order(1)])
    shop.write_stock([("MUG", "WH", 10), ("CUP", "WH", "twenty"), ("TEA", "WH", 5), ("MUG", "WH", 1)])
    shop.run()
    assert shop.rejected() == [("stock.csv", 3, "invalid_quantity")]
    shop.write_stock([("MUG", "WH", 12), ("CUP", "WH", 20), ("TEA", "WH", 4)])
    for _ in range(2):
        shop.run()
        assert shop.rejected() == [("stock.csv", 4, "already_received")]
        left = {(sku, node): units for sku, node, units, _, _ in decisions(shop.database)["levels"]}
        assert left == {("MUG", "WH"): 11, ("CUP", "WH"): 20, ("TEA", "WH"): 5}


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder
