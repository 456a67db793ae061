"""Tries the mutants and prints which test noticed each: `python -m tools.mutants [--only N] [--jobs 2] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.mutants.mutant import Mutant
from tools.mutants.table import MUTANTS
from tools.mutants.trial import Trial, Verdict, try_mutant, try_unchanged


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where every mutant tried was killed."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="N", help="a number such as 4, or one place of it, as 4b")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at once")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if not options.only or {one.name, str(one.number)} & set(options.only)]
    if not chosen:
        parser.error(f"there is no mutant {', '.join(options.only)}")
    with tempfile.TemporaryDirectory(prefix="omo_mutants_") as scratch:
        if wrong := try_unchanged((test for one in chosen for test in one.killers), Path(scratch, "unchanged")):
            print(f"The tests fail without any mutant; mend that first.\n{wrong}", file=sys.stderr)
            return 1
        with ThreadPoolExecutor(options.jobs) as threads:
            trials = list(threads.map(lambda one: try_mutant(one, Path(scratch, one.name)), chosen))
    print(_as_json(chosen, trials) if options.json else _as_table(chosen, trials))
    unkilled = [trial for trial in trials if trial.verdict is not Verdict.KILLED]
    for trial in unkilled:
        print(trial.sentence, file=sys.stderr)
    return 1 if unkilled else 0


def _as_json(mutants: Sequence[Mutant], trials: Sequence[Trial]) -> str:
    rows = [
        {
            "mutant": mutant.name,
            "what": mutant.what,
            "how": mutant.how,
            "verdict": trial.verdict.value,
            "killed_by": trial.killed_by,
            "seconds": round(trial.seconds, 1),
        }
        for mutant, trial in zip(mutants, trials, strict=True)
    ]
    return json.dumps(rows, indent=2)


def _as_table(mutants: Sequence[Mutant], trials: Sequence[Trial]) -> str:
    rows = [("mutant", "what", "killed by", "s")]
    for mutant, trial in zip(mutants, trials, strict=True):
        killed_by = trial.killed_by or f"NOBODY: {trial.verdict.value}"
        rows.append((mutant.name, mutant.what, killed_by, f"{trial.seconds:.1f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
