"""Tries mutants: in a copy of the project, never in the working tree, the tests run that must notice the defect."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tools.mutants.mutant import Mutant, changed_files

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 120.0
LEFT_OUT: Final = ("build", "dist", "docs")

# A test that fails like this has met a mutant that is no program any more; it would notice every typing error.
UNSOUND: Final = {
    *("AttributeError", "ImportError", "IndentationError", "ModuleNotFoundError", "NameError"),
    *("SyntaxError", "TypeError", "UnboundLocalError"),
}
_PASSED, _FAILED = 0, 1  # pytest's exit codes


class Verdict(StrEnum):
    """What became of a mutant; only a killed one is as it should be."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNSOUND = "unsound"
    """The tests could not run, or failed for a reason that is not the defect."""
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Trial:
    """What the tests said about a mutant, or about the code as it is where `name` is empty."""

    name: str
    verdict: Verdict
    killed_by: str
    report: str
    seconds: float

    @property
    def sentence(self) -> str:
        """What to do about a mutant that was not killed."""
        advice = {
            Verdict.KILLED: "killed",
            Verdict.SURVIVED: "survived: the suite does not notice this defect; write the test that does",
            Verdict.UNSOUND: "proves nothing: its tests did not fail, or not because of the defect; mend its entry",
            Verdict.SLOW: f"was not done within {PATIENCE_S:.0f} s; choose quicker tests",
        }
        return f"mutant {self.name} {advice[self.verdict]}\n{self.report}"


def try_mutant(mutant: Mutant, folder: Path, root: Path = ROOT, patience_s: float = PATIENCE_S) -> Trial:
    """Apply a mutant to a copy of `root` made in the empty `folder` and run its tests there."""
    begun = time.perf_counter()
    copy = _copy(root, folder)
    for path, text in changed_files(mutant, copy).items():
        (copy / path).write_text(text, encoding="utf-8")
    verdict, killed_by, report = _judge(mutant, *_run(copy, mutant.killers, patience_s))
    return Trial(mutant.name, verdict, killed_by, report, time.perf_counter() - begun)


def try_unchanged(killers: Iterable[str], folder: Path, root: Path = ROOT, patience_s: float = PATIENCE_S) -> str:
    """Run tests in an unchanged copy; returns what is wrong with them, "" where all pass. Else mutants prove nothing."""
    code, _, output = _run(_copy(root, folder), sorted(set(killers)), patience_s)
    return "" if code == _PASSED else output


def _copy(root: Path, folder: Path) -> Path:
    """The project as it stands, compiled files included; what is hidden, built or only read by people is not needed."""
    copy = folder / "project"
    left_out = {*LEFT_OUT, *(entry.name for entry in root.iterdir() if entry.name.startswith("."))}
    shutil.copytree(
        root, copy, ignore=lambda place, _: left_out if Path(place) == root else (), copy_function=_copy_file
    )
    return copy


def _copy_file(source: str, target: str) -> None:
    """Other processes compile meanwhile, so a compiled file may be gone by now; it is made again where it is needed."""
    with suppress(*((FileNotFoundError,) if "__pycache__" in source else ())):
        shutil.copy2(source, target)


def _run(copy: Path, tests: Iterable[str], patience_s: float) -> tuple[int | None, Path, str]:
    """Run tests in the copy; returns pytest's exit code (None where it took too long), its report and its output."""
    report = copy.parent / "report.xml"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=short"]
    command += ["-o", "addopts=--import-mode=importlib"]  # the project's own options are for its plugins
    command += [f"--basetemp={copy.parent / 'scratch'}", f"--junitxml={report}", *tests]
    # The run is its own, also where it is started by a test: nothing of that one's pytest may reach it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer to load than most tests to run
    environment["NUMBA_DISABLE_JIT"] = "1"  # compiling kernels for a new place takes longer than what is tried
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(copy), environment.get("PYTHONPATH")]))
    with subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the tests may have started processes
            return None, report, ""
    return process.returncode, report, output


def _judge(mutant: Mutant, code: int | None, report: Path, output: str) -> tuple[Verdict, str, str]:
    """(verdict, name of the test that failed, what was said)"""
    if code is None:
        return Verdict.SLOW, "", ""
    if code == _PASSED:
        return Verdict.SURVIVED, "", output
    failed = _failed(report) if code == _FAILED else []
    for test, kind, text in failed:
        if kind not in UNSOUND and mutant.shows in text:
            return Verdict.KILLED, test, text
    return Verdict.UNSOUND, "", f"{output}\nThe report of a failed test should say {mutant.shows!r}."


def _failed(report: Path) -> list[tuple[str, str, str]]:
    """(name, kind of exception, text) of the tests that failed; fixtures that fail are no tests."""
    return [
        (case.get("name", ""), _kind(failure.get("message", "")), f"{failure.get('message')}\n{failure.text}")
        for case in ET.parse(report).iter("testcase")
        for failure in case.iter("failure")
    ]


def _kind(message: str) -> str:
    """`sqlalchemy.exc.IntegrityError: …` -> IntegrityError; a bare assertion's message is its own text."""
    return message.split(":", 1)[0].rpartition(".")[2]
