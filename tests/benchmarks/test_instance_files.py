"""Instances in files: what is written is what is read, and what is malformed is named by file and line."""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import instances
from benchmarks.__main__ import main
from benchmarks.instance_files import read, solution_of, wave_of, write
from benchmarks.instance_format import read_solution, read_wave, write_solution
from benchmarks.instance_tables import Malformed
from benchmarks.instances import Instance, draw
from omo_core.allocation import solve_greedy

PLAIN = ("instance_check", "instance_format", "instance_tables", "instance_wave")


@pytest.fixture(scope="module")
def instance() -> Instance:
    return draw(60, 24, 20, seed=3)


@pytest.fixture
def folder(instance: Instance, tmp_path: Path) -> Path:
    write(instance, tmp_path / "wave")
    return tmp_path / "wave"


def assert_equal(a: Any, b: Any) -> None:
    """Equal to the last bit, arrays and their types included."""
    if is_dataclass(a):
        assert type(a) is type(b)
        for one in fields(a):
            assert_equal(getattr(a, one.name), getattr(b, one.name))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    else:
        assert a == b


@pytest.mark.parametrize("name", ["wave", "wave.zip"])
def test_what_is_written_is_what_is_read(instance: Instance, tmp_path: Path, name: str) -> None:
    write(instance, tmp_path / name)
    back = read(tmp_path / name)
    assert_equal(back, instance)
    problem, again = instance.problem(), back.problem()
    for ours, theirs in zip(problem.block, again.block, strict=True):
        assert_equal(theirs, ours)
    assert_equal(again.capacity, problem.capacity)


def test_the_plain_wave_is_the_same_from_arrays_and_from_files(instance: Instance, folder: Path) -> None:
    assert read_wave(folder) == wave_of(instance)


def test_several_units_odd_prices_and_skus_without_stock_survive(instance: Instance, tmp_path: Path) -> None:
    columns = replace(instance.columns, quantity=np.arange(instance.columns.quantity.size, dtype=np.int32) % 4 + 1)
    bare = replace(
        instance.stock,
        holder_ptr=np.concatenate([instance.stock.holder_ptr, instance.stock.holder_ptr[-1:]]),
        sku=[*instance.stock.sku, "S-none, \"quoted\""],
    )  # fmt: skip
    prices = replace(instance.prices, per_extra_node_minor=77, free_days=0)
    changed = replace(instance, columns=columns, stock=bare, prices=prices, name="odd")
    write(changed, tmp_path / "odd.zip")
    assert_equal(read(tmp_path / "odd.zip"), changed)


def test_equal_instances_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write(draw(20, 18, 9, seed=4), tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_drawing_in_runs_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(50, 20, 40, seed=5)
    monkeypatch.setattr(instances, "CHUNK_CELLS", 60)
    assert_equal(draw(50, 20, 40, seed=5), whole)


def test_a_solution_survives_its_file(instance: Instance, tmp_path: Path) -> None:
    solution = solution_of(instance, solve_greedy(instance.problem()), seconds=0.5)
    write_solution(solution, tmp_path / "mine.zip")
    assert read_solution(tmp_path / "mine.zip") == solution


def rewritten(file: str, change: Callable[[list[str]], object]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
        change(lines)
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return spoil


def field(file: str, line: int, column: int, value: str) -> Callable[[Path], object]:
    def change(lines: list[str]) -> None:
        values = lines[line - 1].split(",")
        values[column] = value
        lines[line - 1] = ",".join(values)

    return rewritten(file, change)


def header(**changes: object) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        document = json.loads((folder / "instance.json").read_text(encoding="utf-8"))
        (folder / "instance.json").write_text(json.dumps({**document, **changes}), encoding="utf-8")

    return spoil


def price(name: str, value: object) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        document = json.loads((folder / "instance.json").read_text(encoding="utf-8"))
        document["prices"][name] = value
        (folder / "instance.json").write_text(json.dumps(document), encoding="utf-8")

    return spoil


MALFORMED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no header": (lambda folder: (folder / "instance.json").unlink(), r"^instance\.json: it is missing"),
    "no JSON": (lambda folder: (folder / "instance.json").write_text("{\n,"), r"^instance\.json, line 2: it is no JSON"),
    "no text": (lambda folder: (folder / "instance.json").write_bytes(b"\xff"), r"^instance\.json: it is no JSON"),
    "other format": (header(format="csv"), r'^instance\.json: .*"format": "omo-wave"'),
    "other version": (header(version=2), r'^instance\.json: .*"version": 1'),
    "no name": (header(name=""), r"^instance\.json: name is ''"),
    "cut short": (rewritten("stock.csv", lambda lines: lines.pop()), r"^instance\.json: its counts are"),
    "a price too many": (price("duty_minor", 1), r"^instance\.json: prices must have exactly"),
    "a price that is none": (price("pickup_minor", 1.5), r"^instance\.json: the price pickup_minor is 1\.5"),
    "no metres a day": (price("metres_per_day", 0), r"^instance\.json: the price metres_per_day is 0"),
    "no table": (lambda folder: (folder / "stock.csv").unlink(), r"^stock\.csv: it is missing"),
    "other columns": (field("lines.csv", 1, 2, "item"), r"^lines\.csv, line 1: the columns must be order,line,sku"),
    "no nodes": (rewritten("nodes.csv", lambda lines: lines.__delitem__(slice(1, None))), r"^nodes\.csv: it lists no"),
    "a field too many": (field("lines.csv", 3, 3, "1,2"), r"^lines\.csv, line 3: 5 fields; there must be 4"),
    "an open quote": (field("lines.csv", 4, 0, '"O'), r"^lines\.csv, line \d+: it is no CSV"),
    "no UTF-8": (
        lambda folder: (folder / "skus.csv").write_bytes(b"sku\nS1\n\xff\n"),
        r"^skus\.csv, line \d: from here on it is no UTF-8",
    ),
    "a node out of order": (field("nodes.csv", 4, 0, "A"), r"^nodes\.csv, line 4: the node 'A' comes after"),
    "a kind there is not": (field("nodes.csv", 2, 1, "barn"), r"^nodes\.csv, line 2: kind is 'barn'"),
    "no latitude": (field("nodes.csv", 2, 2, "north"), r"^nodes\.csv, line 2: latitude is 'north'"),
    "a latitude not a number": (field("nodes.csv", 2, 2, "nan"), r"^nodes\.csv, line 2: latitude is 'nan'"),
    "two places": (field("nodes.csv", 2, 2, "1.5"), r"^nodes\.csv, line 2: x, y, z are not the place"),
    "off the sphere": (field("orders.csv", 2, 3, "0.1"), r"^orders\.csv, line 2: x, y, z must be a unit vector"),
    "a capacity below zero": (field("nodes.csv", 9, 9, "-1"), r"^nodes\.csv, line 9: capacity_orders is '-1'"),
    "money with cents": (field("nodes.csv", 2, 8, "1.50"), r"^nodes\.csv, line 2: handling_minor is '1\.50'"),
    "a sku twice": (field("skus.csv", 3, 0, "S000000"), r"^skus\.csv, line 3: the sku 'S000000' is listed twice"),
    "an order twice": (field("orders.csv", 3, 0, "O0000000"), r"^orders\.csv, line 3: the order 'O0000000' is listed"),
    "a service there is not": (field("orders.csv", 2, 1, "drone"), r"^orders\.csv, line 2: service is 'drone'"),
    "pickup nowhere": (field("orders.csv", 2, 1, "pickup"), r"^orders\.csv, line 2: pickup_node must be named"),
    "pickup at no node": (
        rewritten("orders.csv", lambda lines: lines.__setitem__(1, "O0000000,pickup,N9999,1.0,0.0,0.0")),
        r"^orders\.csv, line 2: the pickup_node 'N9999' is not among",
    ),
    "a line of no order": (field("lines.csv", 2, 0, "O7777777"), r"^lines\.csv, line 2: a line of 'O7777777'; .*'O00000"),
    "a line after all": (
        rewritten("lines.csv", lambda lines: lines.append("O8,1,S000001,1")),
        r"^lines\.csv, line \d+: a line of 'O8'; .*no order comes next",
    ),
    "an order without lines": (
        rewritten("orders.csv", lambda lines: lines.append("O9999999,ship,,1.0,0.0,0.0")),
        r"^lines\.csv: the order 'O9999999' has no line",
    ),
    "lines out of turn": (field("lines.csv", 2, 1, "2"), r"^lines\.csv, line 2: line is 2; it must be 1"),
    "a line of no sku": (field("lines.csv", 2, 2, "S-x"), r"^lines\.csv, line 2: the sku 'S-x' is not in"),
    "no units": (field("lines.csv", 2, 3, "0"), r"^lines\.csv, line 2: quantity is '0'"),
    "a sku twice in an order": (
        lambda folder: (
            (folder / "orders.csv").write_text("order,service,pickup_node,x,y,z\nA,ship,,1.0,0.0,0.0\n"),
            (folder / "lines.csv").write_text("order,line,sku,quantity\nA,1,S000001,1\nA,2,S000001,1\n"),
        ),
        r"^lines\.csv, line 3: the order 'A' names the sku 'S000001' twice",
    ),
    "stock of no sku": (field("stock.csv", 2, 0, "S-x"), r"^stock\.csv, line 2: the sku 'S-x' is not in"),
    "stock at no node": (field("stock.csv", 2, 1, "N-x"), r"^stock\.csv, line 2: the node 'N-x' is not in"),
    "stock twice": (
        rewritten("stock.csv", lambda lines: lines.insert(2, lines[1])),
        r"^stock\.csv, line 3: the stock of .* is listed twice",
    ),
    "no stock": (field("stock.csv", 2, 2, "0"), r"^stock\.csv, line 2: available is '0'"),
    "an empty id": (field("stock.csv", 2, 0, ""), r"^stock\.csv, line 2: the sku '' is not in"),
    "an order without id": (field("orders.csv", 2, 0, ""), r"^orders\.csv, line 2: order is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_instance_is_named_by_file_and_line(folder: Path, case: str) -> None:
    spoil, sentence = MALFORMED[case]
    spoil(folder)
    with pytest.raises(Malformed, match=sentence):
        read_wave(folder)


def test_a_place_that_is_no_instance_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(Malformed, match="there is no such folder or zip"):
        read_wave(tmp_path / "nothing")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(Malformed, match="neither a folder nor a zip"):
        read_wave(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(Malformed, match=r"^instance\.json: it is missing from"):
        read_wave(tmp_path / "empty.zip")


def test_a_damaged_zip_is_named(instance: Instance, tmp_path: Path) -> None:
    write(instance, tmp_path / "wave.zip")
    with zipfile.ZipFile(tmp_path / "wave.zip") as archive:
        start = archive.getinfo("stock.csv").header_offset + 60
    content = bytearray((tmp_path / "wave.zip").read_bytes())
    content[start : start + 40] = bytes(40)
    (tmp_path / "wave.zip").write_bytes(content)
    with pytest.raises(Malformed, match=r"^stock\.csv"):
        read_wave(tmp_path / "wave.zip")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cost_minor": 1.5}, r"^solution\.json: cost_minor is 1\.5"),
        ({"cost_minor": True}, r"^solution\.json: cost_minor is True"),
        ({"lower_bound_minor": "low"}, r"^solution\.json: lower_bound_minor is 'low'"),
        ({"instance": None}, r"^solution\.json: instance is None"),
        ({"facts": []}, r"^solution\.json: facts must be an object"),
        ({"format": "omo-wave"}, r"^solution\.json: its header must say"),
    ],
)
def test_a_malformed_claim_is_named(
    instance: Instance, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    mine = tmp_path / "mine"
    write_solution(solution_of(instance, solve_greedy(instance.problem())), mine)
    document = json.loads((mine / "solution.json").read_text(encoding="utf-8"))
    (mine / "solution.json").write_text(json.dumps({**document, **change}), encoding="utf-8")
    with pytest.raises(Malformed, match=sentence):
        read_solution(mine)


@pytest.mark.parametrize("bad", ["O0000000,0,N0001,1", "O0000000,1,,1", "O0000000,1,N0001,-1", "O0000000,1,N0001,1e3"])
def test_a_malformed_assignment_is_named(instance: Instance, tmp_path: Path, bad: str) -> None:
    mine = tmp_path / "mine"
    write_solution(solution_of(instance, solve_greedy(instance.problem())), mine)
    (mine / "assignments.csv").write_text(f"order,line,node,quantity\n{bad}\n", encoding="utf-8")
    with pytest.raises(Malformed, match=r"^assignments\.csv, line 2: "):
        read_solution(mine)


def test_the_checker_needs_the_standard_library_only() -> None:
    for name in PLAIN:
        tree = ast.parse(Path(instances.__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        ours = {f"benchmarks.{one}" for one in PLAIN}
        assert not {
            one for one in imported - ours if one.partition(".")[0] in {"benchmarks", "omo_core", "numpy", "numba"}
        }


def test_write_solve_and_check_as_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave, mine = str(tmp_path / "wave.zip"), str(tmp_path / "mine")
    assert main(["instances", "write", wave, "--orders", "40", "--nodes", "20", "--skus", "12", "--seed", "2"]) == 0
    assert "wave-40x20x12-seed2" in capsys.readouterr().out
    assert main(["instances", "solve", wave, mine]) == 0
    assert main(["instances", "check", wave, mine]) == 0
    assert "the solution is sound" in capsys.readouterr().out

    with (tmp_path / "mine" / "assignments.csv").open("a") as more:
        more.write("O-none,1,N0000,1\n")
    assert main(["instances", "check", wave, mine]) == 1
    assert "the instance has no such order" in capsys.readouterr().out

    (tmp_path / "mine" / "solution.json").unlink()
    assert main(["instances", "check", wave, mine]) == 2
    assert capsys.readouterr().err.startswith("solution.json: it is missing")


def test_an_instance_too_small_to_draw_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instances", "write", str(tmp_path / "w"), "--nodes", "17"]) == 2
    assert "18 nodes" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["instances", "write", str(tmp_path / "w"), "--orders", "0"])
    assert not (tmp_path / "w").exists()
