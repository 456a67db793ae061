"""Rounds of the proofs: those that fork run in a process of their own, which has neither threads nor connections."""

from __future__ import annotations

import json
import subprocess
import sys

from tools.house_rules import ROOT
from tools.soak import run_round

PATIENCE_S = 300


def sound_round(kind: str, *, seed: int, count: int, url: str | None = None) -> dict[str, int]:
    """Run a round and return its counts; a violation fails the test."""
    found = run_round(kind, seed, count, url=url, patience_s=PATIENCE_S)
    assert found["violations"] == []
    counts: dict[str, int] = found["counts"]
    return counts


def broken_round(program: str) -> list[str]:
    """Run a Python program that breaks something on purpose and sets `outcome`; returns the violations it saw."""
    program += "\nimport json; print(json.dumps(outcome.violations))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    violations: list[str] = json.loads(ran.stdout)
    return violations
