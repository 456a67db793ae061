"""Compiled kernels are kept in a private directory, and the same tests pass without a compiler."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from omo_core.allocation import jit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fresh() -> None:
    jit.cache_directory.cache_clear()


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout.strip()


@pytest.mark.usefixtures("fresh")
def test_the_directory_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "omo_core").mkdir(mode=0o777)
    (tmp_path / "omo_core").chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = jit.cache_directory()
    assert folder is not None
    assert folder.is_relative_to(tmp_path)
    for one in (folder, folder.parent):
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
    jit.cache_directory.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_a_directory_that_is_not_ours_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap, home = tmp_path / "trap", tmp_path / "home"
    trap.mkdir()
    home.mkdir()
    (trap / "omo_core").symlink_to(home)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(trap))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    folder = jit.cache_directory()
    assert folder is not None
    assert folder.parent == home / "omo_core"
    jit.cache_directory.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_without_any_directory_kernels_are_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(jit, "_bases", lambda: iter([blocked]))
    assert jit.cache_directory() is None

    @jit.kernel
    def twice(number: int) -> int:
        return 2 * number

    assert twice(21) == 42
    jit.cache_directory.cache_clear()


def test_the_folder_changes_with_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "allocation").mkdir()
    kernels = tmp_path / "allocation" / "kernels.py"
    kernels.write_text("a = 1\n")
    (tmp_path / "jit.py").write_text("")
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    before = jit._sources_digest()
    kernels.write_text("a = 2\n")
    assert jit._sources_digest() != before


@pytest.mark.slow
def test_the_hosts_own_numba_setting_is_left_alone() -> None:
    code = (
        "import numba; numba.config.CACHE_DIR = '/somewhere'; import omo_core.allocation; print(numba.config.CACHE_DIR)"
    )
    assert python(code) == "/somewhere"


SAME_DECISIONS = """
import hashlib, json
from omo_core.allocation import solve_greedy
from tests.allocation.cases import random_case
digest = hashlib.sha256()
for seed in range(6):
    case = random_case(seed, orders=10, most_lines=10)
    plan = solve_greedy(case.problem())
    assert plan.violations() == []
    digest.update(json.dumps(plan.to_document()).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_the_same_decisions_without_a_compiler() -> None:
    assert python(SAME_DECISIONS, NUMBA_DISABLE_JIT="1") == python(SAME_DECISIONS)


MEASURE_DISTANCES = """
import numpy as np
from omo_core.allocation.candidate_kernels import great_circle_m
here, known = np.array([[1.0, 0.0, 0.0]]), np.ones(1, dtype=np.bool_)
great_circle_m(here, known, here, known, np.zeros((1, 1), dtype=np.int64))
"""


@pytest.mark.slow
def test_kernels_compile_into_an_empty_cache_and_load_from_it(tmp_path: Path) -> None:
    python(MEASURE_DISTANCES, NUMBA_CACHE_DIR=str(tmp_path))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert kept
    python(MEASURE_DISTANCES, NUMBA_CACHE_DIR=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept
