"""Every known way to break the stock pool makes the suite fail, and a trial that proves nothing is not taken for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.mutants.__main__ import main
from tools.mutants.mutant import Edit, Mutant, StaleMutant, changed_files
from tools.mutants.table import MUTANTS
from tools.mutants.trial import ROOT, Verdict, try_mutant, try_unchanged

NAMES = [mutant.name for mutant in MUTANTS]


def marked(mutant: Mutant) -> Any:
    marks = [pytest.mark.slow, *([pytest.mark.postgres] if mutant.postgres else [])]
    return pytest.param(mutant, id=mutant.name, marks=marks)


@pytest.mark.parametrize("mutant", [marked(mutant) for mutant in MUTANTS])
def test_the_suite_notices(mutant: Mutant, tmp_path: Path) -> None:
    trial = try_mutant(mutant, tmp_path)
    assert trial.verdict is Verdict.KILLED, trial.sentence


@pytest.mark.slow
@pytest.mark.postgres
def test_without_a_mutant_the_same_tests_pass_in_a_copy(tmp_path: Path) -> None:
    assert try_unchanged([test for mutant in MUTANTS for test in mutant.killers], tmp_path) == ""


def test_there_is_a_mutant_for_each_of_the_24_ways() -> None:
    assert {mutant.number for mutant in MUTANTS} == set(range(1, 25))
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_mutant_fits_the_code_as_it_is_now(mutant: Mutant) -> None:
    changed = changed_files(mutant, ROOT)
    assert changed.keys() == {edit.path for edit in mutant.edits}
    for path, text in changed.items():
        assert text != (ROOT / path).read_text(encoding="utf-8")
        compile(text, path, "exec")


# The trials themselves, on a project of one function.

CODE = """\
def double(number: int) -> int:
    return number + number
"""
TESTS = """\
from time import sleep

from code_of_one import double

def test_two_and_two_is_four() -> None:
    assert double(2) == 4

def test_nothing() -> None:
    assert double(0) == 0

def test_patience() -> None:
    sleep(double(30))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "code_of_one.py").write_text(CODE, encoding="utf-8")
    (root / "test_one.py").write_text(TESTS, encoding="utf-8")
    return root


def of_one(new: str, *, old: str = "number + number", test: str = "test_two_and_two_is_four") -> Mutant:
    edits = (Edit("code_of_one.py", old, new),)
    return Mutant(number=1, what="", how="", edits=edits, killers=(f"test_one.py::{test}",), shows="assert 6 == 4")


def slowly(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("mutant", "verdict"),
    [
        (of_one("3 * number"), Verdict.KILLED),
        slowly(of_one("2 * number"), Verdict.SURVIVED),
        slowly(of_one("3 * number", test="test_nothing"), Verdict.SURVIVED),
        slowly(of_one("4 * number"), Verdict.UNSOUND),  # fails, but says something else
        slowly(of_one("3 * nobody"), Verdict.UNSOUND),  # fails for a name that is none
        slowly(of_one("3 *"), Verdict.UNSOUND),  # nothing can be imported
        slowly(of_one("3 * number", test="test_gone"), Verdict.UNSOUND),
        slowly(of_one("600", test="test_patience"), Verdict.SLOW),
    ],
    ids=["right", "same", "blind", "other-reason", "no-name", "no-syntax", "no-test", "endless"],
)
def test_only_a_test_that_fails_because_of_the_defect_kills(
    project: Path, tmp_path: Path, mutant: Mutant, verdict: Verdict
) -> None:
    trial = try_mutant(mutant, tmp_path / "trial", project, patience_s=4 if verdict is Verdict.SLOW else 60)
    assert trial.verdict is verdict, trial.report
    assert trial.killed_by == ("test_two_and_two_is_four" if verdict is Verdict.KILLED else "")
    assert (project / "code_of_one.py").read_text(encoding="utf-8") == CODE


@pytest.mark.slow
def test_tests_that_fail_anyway_are_told(project: Path, tmp_path: Path) -> None:
    assert try_unchanged(["test_one.py::test_nothing"], tmp_path / "sound", project) == ""
    (project / "code_of_one.py").write_text(CODE.replace("+ number", "+ 1"), encoding="utf-8")
    assert "assert 1 == 0" in try_unchanged(["test_one.py::test_nothing"], tmp_path / "broken", project)


@pytest.mark.parametrize("old", ["number + nobody", "number"])
def test_an_edit_that_does_not_fit_exactly_once_is_stale(project: Path, tmp_path: Path, old: str) -> None:
    with pytest.raises(StaleMutant, match="bring its entry up to date"):
        try_mutant(of_one("3 * number", old=old), tmp_path / "trial", project)


def test_a_file_that_is_gone_is_told() -> None:
    gone = Mutant(number=7, what="", how="", edits=(Edit("gone.py", "a", "b"),), killers=(), shows="")
    with pytest.raises(StaleMutant, match="Mutant 7 edits gone"):
        changed_files(gone, ROOT)


def test_a_mutant_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "25"])
    assert "there is no mutant 25" in capsys.readouterr().err
