"""Run benchmarks by name; with --json, standard output is one JSON object and nothing else."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks import instance_commands
from benchmarks.harness import Benchmark, Context, Size, UnknownPart


def available(folder: Path = Path(__file__).parent) -> dict[str, Callable[[], Benchmark]]:
    """Name -> loader of every module in the folder that defines `run`; none is imported before it is asked for."""
    return {file.stem: _loader(file.stem) for file in sorted(folder.glob("*.py")) if _defines_run(file)}


def _defines_run(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body)


def _loader(name: str) -> Callable[[], Benchmark]:
    def load() -> Benchmark:
        benchmark: Benchmark = importlib.import_module(f"benchmarks.{name}").run
        return benchmark

    return load


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="`python -m benchmarks instances` writes instances for others to solve, and checks what they found.",
    )
    what = options.add_mutually_exclusive_group(required=True)
    what.add_argument("name", nargs="?", help="the benchmark to run")
    what.add_argument("--every", action="store_true", help="run every benchmark, one after the other")
    what.add_argument("--list", action="store_true", help="list the benchmarks")
    size = options.add_mutually_exclusive_group()
    size.add_argument("--smallest", dest="size", action="store_const", const="smallest", help="seconds: does it run?")
    size.add_argument("--all", dest="size", action="store_const", const="all", help="also the sizes that take long")
    options.add_argument("--part", action="append", default=[], metavar="PART", help="only this part of one benchmark")
    options.add_argument("--json", action="store_true", help="print everything that was measured as one JSON object")
    options.add_argument("--out", type=Path, metavar="DIR", help="also keep the JSON as DIR/benchmark-NAME.json")
    options.add_argument("--seed", type=int, default=1, help="of the generated instances (default 1)")
    return options


def main(arguments: Sequence[str], benchmarks: Mapping[str, Callable[[], Benchmark]] | None = None) -> int:
    """The exit code: 0, 1 where a benchmark failed to run, 2 for a name that there is not."""
    if list(arguments[:1]) == ["instances"]:
        return instance_commands.main(arguments[1:])
    known = available() if benchmarks is None else benchmarks
    options = parser().parse_args(arguments)
    if options.list:
        print(*known, sep="\n")
        return 0
    if not options.every and options.name not in known:
        print(f"There is no benchmark {options.name!r}; there is {', '.join(known) or 'none'}.", file=sys.stderr)
        return 2
    if options.every and options.part:
        print("--part belongs to one benchmark; name it instead of --every.", file=sys.stderr)
        return 2
    names = list(known) if options.every else [options.name]
    failed = [name for name in names if not run_one(name, known[name], options)]
    if failed:
        print(f"Failed to run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_one(name: str, load: Callable[[], Benchmark], options: argparse.Namespace) -> bool:
    """Run and report one benchmark; a failure is reported too, and the next one has its turn."""
    size: Size = options.size or "default"
    context = Context(name, size, options.seed, tuple(options.part))
    print(f"{name} ({size}, seed {options.seed}) ...", file=sys.stderr, flush=True)
    try:
        with redirect_stdout(sys.stderr):
            load()(context)
    except UnknownPart as error:
        print(error, file=sys.stderr)
        return False
    except Exception:  # noqa: BLE001  whatever it is, the others still run and the exit code tells
        traceback.print_exc()
        return False
    document = json.dumps(context.document(), indent=2, ensure_ascii=False, allow_nan=False)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"benchmark-{name}.json").write_text(document + "\n", encoding="utf-8")
    print(
        document
        if options.json
        else "\n".join(f"  {key:<40} {value:>16,.6g}" for key, value in context.figures.items())
    )
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
