"""The benchmark runner: one JSON object, every round kept, failures told."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import available, main
from benchmarks.harness import Benchmark, Context

pytestmark = pytest.mark.slow


def counting(context: Context) -> None:
    print("a benchmark may chatter")
    sides = context.time_together(
        {"sum": lambda: sum(range(100)), "list": lambda: list(range(100))}, rounds=3, numbers=100
    )
    context.figure("numbers", 100 if context.size == "default" else 10)
    context.figure("sum_vs_list", sides["list"].best_s / sides["sum"].best_s)
    context.figure("seed", context.seed)


def failing(context: Context) -> None:
    raise RuntimeError("no such luck")


def load_counting() -> Benchmark:
    return counting


def load_failing() -> Benchmark:
    return failing


def test_json_is_one_object_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["counting", "--json", "--seed", "7"], {"counting": load_counting}) == 0
    document = json.loads(capsys.readouterr().out)

    assert (document["name"], document["size"], document["seed"]) == ("counting", "default", 7)
    assert document["figures"]["numbers"] == 100
    assert document["figures"]["seed"] == 7
    assert [(run["label"], run["round"], run["numbers"]) for run in document["runs"]] == [
        (label, number, 100) for label in ("sum", "list") for number in (1, 2, 3)
    ]
    assert document["timings"]["sum"]["rounds"] == 3
    assert document["timings"]["sum"]["min"] == min(run["seconds"] for run in document["runs"][:3])
    assert document["machine"]["cpus"] >= 1
    assert {"python", "numpy", "numba", "sqlalchemy"} <= document["versions"].keys()


def test_sizes_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "build"
    assert main(["--every", "--smallest", "--out", str(out)], {"counting": load_counting}) == 0
    kept = json.loads((out / "benchmark-counting.json").read_text())
    assert (kept["size"], kept["figures"]["numbers"]) == ("smallest", 10)
    assert "numbers" in capsys.readouterr().out


def test_a_failure_is_told_and_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {"failing": load_failing, "counting": load_counting}
    assert main(["--every", "--out", str(tmp_path)], both) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["benchmark-counting.json"]
    assert "no such luck" in capsys.readouterr().err


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wawe"], {"wave": load_counting}) == 2
    assert "there is wave" in capsys.readouterr().err


def divided(context: Context) -> None:
    """In two parts."""
    context.take({"one": lambda inner: inner.figure("one", 1), "two": lambda inner: inner.figure("two", 2)})


def test_parts_run_alone_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"divided": lambda: divided, "counting": load_counting}
    assert main(["divided", "--json"], known) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == {"one": 1, "two": 2}
    assert main(["divided", "--part", "two", "--json"], known) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["figures"], document["parts"]) == ({"two": 2}, ["two"])
    assert main(["divided", "--part", "two", "--part", "three"], known) == 1
    assert "divided has no part 'three' at this size; it has one, two" in capsys.readouterr().err
    assert main(["counting", "--part", "one"], known) == 1
    assert "counting has no parts; leave --part out" in capsys.readouterr().err
    assert main(["--every", "--part", "one"], known) == 2
    assert "--part belongs to one benchmark" in capsys.readouterr().err


def test_modules_with_run_are_found_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "wave.py").write_text("def run(context): ...")
    (tmp_path / "instances.py").write_text("def build(): ...")
    assert list(available(tmp_path)) == ["wave"]
    assert not {"harness", "__main__", "__init__"} & available().keys()


def test_sides_take_turns_after_their_warm_up() -> None:
    order: list[str] = []
    context = Context("turns")
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    context.time_together(works, rounds=2, warmup=1)
    assert "".join(order) == "ab" + "abab"


def test_the_collector_rests_while_a_round_runs_and_comes_back() -> None:
    context = Context("gc")
    seen: list[bool] = []
    context.time("collecting", lambda: seen.append(gc.isenabled()), rounds=1, warmup=0)
    assert seen == [False]
    assert gc.isenabled()


@pytest.mark.parametrize(("key", "value"), [("Orders/s", 1.0), ("orders_s", float("nan")), ("orders_s", float("inf"))])
def test_a_figure_is_a_number_with_a_stable_key(key: str, value: float) -> None:
    with pytest.raises(ValueError, match="figure"):
        Context("figures").figure(key, value)


def test_figures_and_labels_are_given_once_and_are_plain() -> None:
    context = Context("once")
    context.figure("orders_s", np.float32(2.5))
    assert json.dumps(context.document()["figures"]) == '{"orders_s": 2.5}'
    with pytest.raises(ValueError, match="already"):
        context.figure("orders_s", 3)
    context.record("solve", 0.5, 0.25)
    with pytest.raises(ValueError, match="already"):
        context.record("solve", 0.5)
    assert context.timings["solve"].best_s == 0.25


def test_only_benchmarks_have_a_run() -> None:
    """A helper with a function of that name would be taken for one, and fail."""
    assert sorted(available()) == ["channels", "published", "reevaluation", "reservations", "router", "wave"]
