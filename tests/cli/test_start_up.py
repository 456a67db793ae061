from __future__ import annotations

import subprocess
import sys


def test_help_imports_nothing_heavy() -> None:
    """In a process of its own: the others have imported everything."""
    program = (
        "import sys; from omo_core.cli import main; main(['--help']);"
        "heavy = {'numba', 'numpy', 'ortools', 'sqlalchemy', 'pandas', 'pydantic', 'rich'} & set(sys.modules);"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: omo")
