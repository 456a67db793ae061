"""The long run of every reliability proof: `make soak MINUTES=60`; it goes on where the last one stopped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.house_rules import ROOT
from tools.reliability_log import LOG, append, show_in_document
from tools.rounds import KINDS, replay

STATE: Final = ROOT / "build" / "soak.json"
HUNG_S: Final = 1_200
"""A round that takes so long hangs: that is a violation too."""


@dataclass
class State:
    """Where the soak is, and what it did since it last wrote to the log; kept in a file after each round."""

    round: int = 1
    """The next one; also its seed."""
    seconds: float = 0.0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    violations: int = 0

    @classmethod
    def load(cls, path: Path = STATE) -> State:
        if not path.exists():
            return cls()
        kept = json.loads(path.read_text(encoding="utf-8"))
        counts = {kind: Counter(found) for kind, found in kept.pop("counts").items()}
        return cls(**kept, counts=counts)

    def save(self, path: Path = STATE) -> None:
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(vars(self)), encoding="utf-8")
        fresh.replace(path)

    def enter(self, kind: str, seconds: float, found: dict[str, Any]) -> None:
        """Take in one round's result."""
        self.counts.setdefault(kind, Counter()).update({"rounds": 1, **found["counts"]})
        self.violations += len(found["violations"])
        self.seconds += seconds
        self.round += 1

    def write_to_log(self, log: Path = LOG) -> None:
        """Append what was done to the log and begin to count anew; nothing done, nothing written."""
        if not self.counts:
            return
        append(self.counts, seconds=self.seconds, violations=self.violations, commit=commit(), log=log)
        self.seconds, self.counts, self.violations = 0.0, {}, 0


def commit() -> str:
    """The short name of the commit at work, with a + where files differ from it; "unknown" without git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run_round(
    kind: str, seed: int, count: int, *, url: str | None = None, patience_s: float = HUNG_S
) -> dict[str, Any]:
    """Run one round in a process of its own and return its counts and violations; what it forked ends with it."""
    words = [sys.executable, "-m", "tools.rounds", kind, "--seed", str(seed), "--count", str(count)]
    words += ["--url", url] if url else []
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            said, complaints = process.communicate(timeout=patience_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return {"counts": {}, "violations": [f"no answer after {patience_s:.0f} s"]}
    try:
        found: dict[str, Any] = json.loads(said)
    except json.JSONDecodeError:
        return {"counts": {}, "violations": [f"the round failed:\n{complaints[-4000:]}"]}
    return found


def soak(minutes: float, kinds: Iterable[str], state: State, *, scale: float = 1.0, path: Path = STATE) -> int:
    """Run rounds of the kinds in turn until the time is up or one finds a violation; returns the exit code."""
    kinds = sorted(kinds, key=list(KINDS).index)
    ends = time.monotonic() + minutes * 60
    while time.monotonic() < ends:
        kind, seed = kinds[state.round % len(kinds)], state.round
        count = max(1, round(KINDS[kind].soak_count * scale))
        begun = time.monotonic()
        found = run_round(kind, seed, count)
        seconds = time.monotonic() - begun
        state.enter(kind, seconds, found)
        state.save(path)
        figures = ", ".join(f"{value:,} {name}" for name, value in found["counts"].items())
        print(f"{kind} seed {seed} ({seconds:.0f} s): {figures or 'nothing counted'}", flush=True)
        if found["violations"]:
            print(*found["violations"], f"run it again with: {replay(kind, seed, count)}", sep="\n", flush=True)
            return 1
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS), help="these kinds of rounds")
    asked = parser.parse_args()
    state = State.load()
    state.write_to_log()  # what a run that was killed had done
    try:
        return soak(asked.minutes, asked.only, state)
    except KeyboardInterrupt:
        return 130
    finally:
        state.write_to_log()
        state.save()
        show_in_document()


if __name__ == "__main__":
    sys.exit(main())
