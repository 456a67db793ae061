"""`python -m benchmarks instances`: write an instance for others to solve, and check what they found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.instance_check import check_files, summary
from benchmarks.instance_tables import Malformed


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m benchmarks instances",
        description="Write an instance for others to solve, check a solution, or solve one; the format is in INSTANCES.md.",
    )
    what = options.add_subparsers(dest="what", required=True)
    write = what.add_parser("write", help="draw an instance and write it")
    write.add_argument("where", type=Path, help="a folder, or a zip when the name ends in .zip")
    for size, default in (("orders", 1_000), ("nodes", 60), ("skus", 500), ("seed", 1)):
        write.add_argument(f"--{size}", type=_positive, default=default, help=f"(default {default:,})")
    check = what.add_parser("check", help="check a solution of an instance; exit code 1 where it is not sound")
    check.add_argument("instance", type=Path)
    check.add_argument("solution", type=Path)
    solve = what.add_parser("solve", help="write the greedy solution of an instance, an example of the format")
    solve.add_argument("instance", type=Path)
    solve.add_argument("solution", type=Path)
    return options


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 for a solution that is not sound, 2 for a file that cannot be read."""
    options = parser().parse_args(arguments)
    try:
        if options.what == "write":
            return _write(options)
        if options.what == "solve":
            return _solve(options)
        checked = check_files(options.instance, options.solution)
    except Malformed as error:
        print(error, file=sys.stderr)
        return 2
    print(*summary(checked), sep="\n")
    return 1 if checked.found else 0


def _write(options: argparse.Namespace) -> int:
    # The checker's command needs neither numpy nor the library; only drawing does.
    from benchmarks.instance_files import write
    from benchmarks.instances import LEAST_NODES, draw

    if options.nodes < LEAST_NODES or options.skus < 5:
        print(f"An instance has {LEAST_NODES} nodes and 5 SKUs or more.", file=sys.stderr)
        return 2
    instance = draw(options.orders, options.nodes, options.skus, seed=options.seed)
    write(instance, options.where)
    print(f"{instance.name} -> {options.where}")
    return 0


def _solve(options: argparse.Namespace) -> int:
    from benchmarks.instance_files import read, solution_of
    from benchmarks.instance_format import write_solution
    from omo_core.allocation import solve_greedy

    instance = read(options.instance)
    write_solution(solution_of(instance, solve_greedy(instance.problem())), options.solution)
    return 0


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
